"""The status page of the documentation: `python -m tests.support.gateway_screenshot docs/gateway` writes it anew.

It is the page itself in a browser, over a gateway with turns, accounts and a time that are made up here.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx

from codex_client.auth.store import MemoryTokenStore
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.credentials.pool import CredentialPool
from codex_client.gateway import create_app
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import AccountServer, ManualClock, Reply, ev_created, ev_failed, sse
from tests.support.browser import headless
from tests.support.gateways import CHAT, chat_body, served

# Tuesday, 14 November 2023, 09:20 UTC.
NOW = 1_699_953_600.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
_VIEW = {"width": 1080, "height": 600}
_TURNS = 42
_OVERLOADED = Reply.from_sse(sse([ev_created(), ev_failed("server_is_overloaded", "Our servers are overloaded.")]))


def _add_accounts(server: AccountServer) -> None:
    anna, ben = (server.add_account(f"acct-{name}", email=f"{name}@example.com") for name in ("anna", "ben"))
    anna.plan_type = "pro"
    anna.limit(42, resets_at=NOW + 3.2 * HOUR)
    anna.limit(81, 10_080, which="secondary", resets_at=NOW + 3 * DAY + 5 * HOUR)
    ben.limit(100, resets_at=NOW + 2 * HOUR + 10 * MINUTE)
    ben.limit(57, 10_080, which="secondary", resets_at=NOW + 5 * DAY)
    server.add_account("acct-team", email="team@example.com").plan_type = "enterprise"


async def _serve_turns(server: AccountServer, url: str, clock: ManualClock) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        for number in range(_TURNS):
            if number == _TURNS - 2:
                server.fail("/responses", _OVERLOADED)
            await http.post(CHAT, json=chat_body(f"Question {number}"))
            clock.advance(MINUTE)


async def take(browser: Any, file: Path) -> None:
    """The screenshot, as a PNG."""
    clock = ManualClock(start=NOW - _TURNS * MINUTE, auto_advance=True)
    async with AccountServer(clock) as server:
        _add_accounts(server)
        logins = [server.issue(each, lifetime=DAY) for each in server.accounts]
        pool = CredentialPool(MemoryTokenStore(logins), provider=server.provider(), clock=clock)
        once = RetryPolicy(request_max_retries=0, stream_max_retries=0)
        async with (
            pool,
            RoutedApiClient(ClientConfig(provider=server.provider(), auth=pool, retry=once, clock=clock)) as client,
            served(create_app(client, clock=clock)) as url,
        ):
            await pool.prime()
            await _serve_turns(server, url, clock)
            page = await browser.new_page(viewport=_VIEW, color_scheme="light", timezone_id="UTC", locale="en-GB")
            await page.clock.install(time=datetime.fromtimestamp(clock.time(), UTC))
            await page.goto(url)
            await page.get_by_role("table", name="Accounts").wait_for()
            await page.screenshot(path=file, full_page=True)
            await page.close()


async def main(folder: str) -> None:
    async with headless() as browser:
        await take(browser, Path(folder) / "status-page.png")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
