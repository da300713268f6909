"""`make demo GATEWAY=1`: the gateway over two accounts of a server that plays ChatGPT, and a caller who knows neither.

Everything is on this machine and needs no key; the gateway and its socket are the real ones.
"""

from __future__ import annotations

import json
import sys

import anyio
import httpx

from codex_client import CredentialPool, MemoryTokenStore, connect
from codex_client.gateway import create_app
from codex_client.testing import AccountServer
from tests.support.gateways import CHAT, chat_body, served


def main() -> None:
    """Run it."""
    anyio.run(show)


async def show() -> None:
    """One turn by plain HTTP, and what the gateway knows of it afterwards."""
    async with AccountServer() as chatgpt:
        accounts = [chatgpt.add_account(name, email=f"{name}@example.test") for name in ("anna", "ben")]
        for used, account in enumerate(accounts, 1):
            account.limit(20 * used)
        store = MemoryTokenStore([chatgpt.issue(each, 3600) for each in accounts])
        async with (
            CredentialPool(store, provider=chatgpt.provider()) as pool,
            connect(provider=chatgpt.provider(), auth=pool) as client,
            served(create_app(client)) as url,
            httpx.AsyncClient(base_url=url, trust_env=False) as http,
        ):
            say(f"gateway {url}/v1, which asks ChatGPT with one of two accounts\n\nPOST {CHAT}")
            async with http.stream("POST", CHAT, json=chat_body("Why are there tides?", stream=True)) as answer:
                async for line in answer.aiter_lines():
                    if line:
                        say(f"  {line[:100]}{'…' if len(line) > 100 else ''}")
            for each in json.loads((await http.get("/status.json")).content)["accounts"]:
                windows = ", ".join(f"{one['used_percent']:g} % of {one['label']}" for one in each["windows"] or ())
                say(f"account {each['email']}, {each['plan']}: {windows or 'not used yet'}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
