"""The status page in Chromium, against a gateway on a socket."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from codex_client.auth.store import MemoryTokenStore
from codex_client.client.config import ResponsesConfig, RetryPolicy
from codex_client.clients.responses import ResponsesApiClient
from codex_client.credentials.pool import CredentialPool
from codex_client.gateway import GatewayConfig, create_app
from codex_client.gateway.app import gateway_of
from codex_client.model_variants import TokenUsage
from codex_client.testing import (
    AccountServer,
    ReplayServer,
    Reply,
    Stall,
    ev_created,
    ev_text_delta,
    responses_turn,
    sse,
)
from tests.support.browser import CHROMIUM, chromium, headless
from tests.support.gateway_screenshot import take
from tests.support.gateways import CHAT, chat_body, gateway_over, served

KEY = "a-key-for-tests"
HOSTILE = "<img src=x onerror=\"document.title='taken'\">"
_PATIENCE_MS = 20_000
# Texts of the page that are wider than their places.
_CUT_OFF = """[...document.querySelectorAll("tbody td, tbody th, .window > span, dd")]
  .filter((each) => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== "inline")
  .map((each) => each.textContent)"""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """uvicorn knows no other loop."""
    return "asyncio"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Any]:
    """In CI its absence is a failure, elsewhere a reason to skip."""
    if chromium() is None:
        missing = f"there is no chromium; install it, or name one by {CHROMIUM}"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    async with headless() as browser:
        yield browser


@asynccontextmanager
async def opened(browser: Any, url: str, **options: Any) -> AsyncIterator[tuple[Any, list[str]]]:
    """The page, and what the browser complained of: every fault of a script, every word on its
    console, every address but the gateway's.
    """
    page = await browser.new_page(**options)
    try:
        page.set_default_timeout(_PATIENCE_MS)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
        page.on("request", lambda sent: None if sent.url.startswith(url) else complaints.append(sent.url))
        await page.clock.install()
        await page.goto(url)
        yield page, complaints
    finally:
        await page.close()


async def next_look(page: Any) -> None:
    """Let the time come, by the page's own clock, at which it asks again, and wait for the answer."""
    async with page.expect_response("**/status.json"):
        await page.clock.fast_forward(2_000)


@asynccontextmanager
async def two_accounts(
    config: GatewayConfig | None = None, *, limited: bool = True
) -> AsyncIterator[tuple[Starlette, AccountServer]]:
    """One account that is used up and one that is at 40 %; or two without limits, of which nothing is known yet."""
    async with AccountServer() as server:
        store = MemoryTokenStore()
        for email, used in (("one@example.test", 100.0), ("two@example.test", 40.0)):
            account = server.add_account(f"acct-{email[:3]}", email=email, plan_type="pro")
            if limited:
                account.limit(used)
                account.limit(used / 2, 10_080, which="secondary")
            await store.save(server.issue(account, lifetime=1e9))
        async with CredentialPool(store, provider=server.provider()) as pool:
            if limited:
                await pool.prime()
            setup = ResponsesConfig(
                provider=server.provider(), model="gpt-5", auth=pool, retry=RetryPolicy(max_delay=0)
            )
            async with ResponsesApiClient(setup) as client:
                yield create_app(client, config=config), server


async def test_it_shows_accounts_windows_streams_and_failures_and_follows_them(browser: Any) -> None:
    async with two_accounts() as (app, server), served(app) as url, opened(browser, url) as (page, complaints):
        accounts = page.get_by_role("table", name="Accounts")
        await page.get_by_role("status").get_by_text("Serving").wait_for()
        rows = accounts.get_by_role("row")
        first = await rows.nth(1).inner_text()
        second = await rows.nth(2).inner_text()
        meter = rows.nth(2).get_by_role("meter", name="codex 5 h used")
        assert await meter.get_attribute("aria-valuenow") == "40"
        assert "Blocked until" in first
        assert "o\u2026@example.test" in first
        assert "Can serve" in second
        assert "weekly" in second
        assert "resets" in second
        assert not [secret for secret in server.secrets if secret in await page.content()]
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            # What it shows is new without a reload: a failure, and the count of requests.
            server.fail("/responses", Reply.error(418, HOSTILE))
            await http.post(CHAT, json=chat_body())
        await next_look(page)
        failures = page.get_by_role("table", name="Last errors")
        await failures.get_by_role("cell", name="UnexpectedStatusError", exact=True).wait_for()
        assert HOSTILE in await failures.inner_text()
        assert await page.locator("img").count() == 0
        assert await page.title() == "codex_client gateway"
    assert complaints == []


async def test_it_counts_streams_that_run_and_says_when_the_gateway_is_gone(browser: Any) -> None:
    reply = Reply(
        body=[sse([ev_created(), ev_text_delta("The")]), Stall()], headers={"content-type": "text/event-stream"}
    )
    async with (
        ReplayServer([sse(responses_turn("Hi", usage=TokenUsage(12_000, 7_000, 5, 0, 12_005))), reply]) as upstream,
        gateway_over(upstream) as app,
        served(app) as url,
        opened(browser, url) as (page, _),
    ):
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http, anyio.create_task_group() as tasks:
            await http.post(CHAT, json=chat_body())
            await http.post(CHAT, json={"messages": []})
            tasks.start_soon(lambda: http.post(CHAT, json=chat_body(stream=True), timeout=None))
            await upstream.at_rest()
            await next_look(page)
            await page.get_by_text("1 of 256").wait_for()
            await page.get_by_text("12,000").wait_for()
            await page.get_by_text("cached: 7,000").wait_for()
            # Neither the one that runs nor the one that was refused.
            assert await page.get_by_role("definition").nth(1).inner_text() == "1\nsent to the provider"
            await page.get_by_text("None since the start").wait_for()
            with gateway_of(app).activity.arrival():
                await next_look(page)
                await page.get_by_text("arriving: 1").wait_for()
            tasks.cancel_scope.cancel()
        await upstream.idle()
        await next_look(page)
        await page.get_by_text("0 of 256").wait_for()
        assert await page.get_by_text("arriving").count() == 0
        assert await page.get_by_role("table", name="Accounts").count() == 0
        await page.route("**/status.json", lambda route: route.abort())
        await page.clock.fast_forward(2_000)
        await page.get_by_role("status").get_by_text("does not answer").wait_for()


async def test_it_asks_for_the_key_and_keeps_it_for_the_tab(browser: Any) -> None:
    async with (
        two_accounts(GatewayConfig(keys=(KEY,))) as (app, _),
        served(app) as url,
        opened(browser, url) as (page, complaints),
    ):
        field = page.get_by_label("Key of the gateway")
        await field.fill("another-key")
        await field.press("Enter")
        await page.get_by_role("status").get_by_text("not the gateway's key").wait_for()
        await field.fill(KEY)
        await page.get_by_role("button", name="Show").click()
        await page.get_by_role("table", name="Accounts").wait_for()
        assert await field.is_hidden()
        await page.reload()
        await page.get_by_role("table", name="Accounts").wait_for()
    # Browsers write down each refusal, and what else they miss in a form.
    assert [each for each in complaints if "401" not in each] == []


async def test_what_is_not_known_of_an_account_differs_from_what_has_no_limit(browser: Any) -> None:
    async with two_accounts(limited=False) as (app, _), served(app) as url, opened(browser, url) as (page, _):
        row = page.get_by_role("table", name="Accounts").get_by_role("row").nth(2)
        await row.get_by_role("cell", name="not known yet").wait_for()
        await gateway_of(app).pool.prime()  # pyright: ignore[reportOptionalMemberAccess]
        await next_look(page)
        await row.get_by_role("cell", name="no limit").wait_for()


async def test_the_picture_of_the_documentation_can_be_taken_anew(browser: Any, tmp_path: Path) -> None:
    await take(browser, tmp_path / "page.png")
    content = (tmp_path / "page.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    # Its width, as in the header of the one that is kept.
    kept = (Path(__file__).parents[2] / "docs" / "gateway" / "status-page.png").read_bytes()
    assert content[16:20] == kept[16:20]


async def test_it_fits_every_width_whatever_the_names_are(browser: Any) -> None:
    long = {"email": "e" * 60 + "@" + "example-" * 8 + ".test", "plan": "enterprise_" * 5, "parked": "reason " * 30}
    async with two_accounts() as (app, server), served(app) as url:
        server.fail("/responses", Reply.error(418, "m" * 300))
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            await http.post(CHAT, json=chat_body())
            status = (await http.get("/status.json")).json()
        for account in status["accounts"]:
            account.update(long)
            account["windows"][0]["limit"] = "codex_other_models_" * 2
        async with opened(browser, "about:blank") as (page, _):
            await page.route("**/status.json", lambda route: route.fulfill(json=status))
            await page.goto(url)
            await page.get_by_role("table", name="Accounts").wait_for()
            for width in range(320, 1601, 64):
                await page.set_viewport_size({"width": width, "height": 800})
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
                assert await page.evaluate(_CUT_OFF) == [], width
                if folder := os.environ.get("STATUS_PAGE_SHOTS"):
                    await page.screenshot(path=Path(folder) / f"long-{width}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_it_fits_a_telephone_and_a_desk_in_both_schemes(browser: Any, width: int, scheme: str) -> None:
    view = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    async with two_accounts() as (app, _), served(app) as url, opened(browser, url, **view) as (page, complaints):
        await page.get_by_role("table", name="Accounts").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        back = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert back == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)")
        # The cells keep their roles where the table is a list of cards.
        assert await page.get_by_role("table", name="Accounts").get_by_role("cell").count() == 8
        if folder := os.environ.get("STATUS_PAGE_SHOTS"):
            await page.screenshot(path=Path(folder) / f"{width}-{scheme}.png", full_page=True)
    assert complaints == []
