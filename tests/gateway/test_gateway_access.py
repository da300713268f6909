"""Who may ask a gateway."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from codex_client.errors import ConfigurationError
from codex_client.gateway import GatewayConfig
from codex_client.gateway.access import is_loopback
from codex_client.testing import ReplayServer, responses_turn, sse
from tests.support.asgi import call
from tests.support.gateways import CHAT, chat_body, gateway_over

KEY, OTHER = "first-key-for-tests", "second-key-for-tests"
GUARDED = ["/v1/models", "/metrics", "/status.json"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8787", "127.0.0.1", "127.0.0.1:8787", "127.8.0.9", "[::1]", "[::1]:8787"]
)
async def test_without_a_key_this_machine_may_ask_by_its_own_names(host: str) -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        assert (await call(app, "GET", "/health", headers={"host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8787", "10.0.0.1", "[2001:db8::1]", "[", ""],
)
@pytest.mark.parametrize("path", ["/", "/health", *GUARDED])
async def test_a_name_that_only_points_here_is_refused(host: str, path: str) -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        made = await call(app, "GET", path, headers={"host": host})
    assert (made.status, made.json()["error"]["code"]) == (403, "invalid_host")
    assert upstream.requests == []


@pytest.mark.parametrize(
    "authorization", [f"Bearer {KEY}", f"bearer {OTHER}", f"Bearer  {KEY} ", "Bearer third key for tests"]
)
async def test_each_key_opens(authorization: str) -> None:
    async with (
        ReplayServer([sse(responses_turn("Hi"))]) as upstream,
        gateway_over(upstream, config=GatewayConfig(keys=(KEY, OTHER, "third key for tests"))) as app,
    ):
        headers = {"authorization": authorization, "host": "gateway.example"}
        assert (await call(app, "POST", CHAT, body=chat_body(), headers=headers)).status == 200


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", f"Basic {KEY}", KEY, "Bearer gr\xfcn"],
)
async def test_nothing_else_does(path: str, authorization: str) -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream, config=GatewayConfig(keys=(KEY, OTHER))) as app:
        made = await call(app, "GET", path, headers={"authorization": authorization})
    error = made.json()["error"]
    assert (made.status, error["code"], error["type"]) == (401, "invalid_api_key", "authentication_error")
    assert made.headers["www-authenticate"] == "Bearer"
    assert KEY not in made.text
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/", "/health"])
async def test_the_page_and_the_health_need_no_key(path: str) -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream, config=GatewayConfig(keys=(KEY,))) as app:
        made = await call(app, "GET", path)
    assert made.status == 200
    assert "gpt-5" not in made.text


def mounted(app: Starlette) -> Any:
    """A part of another app."""
    return Starlette(routes=[Mount("/ai", app)])


def behind_a_proxy(app: Starlette, prefix: str = "/ai") -> Any:
    """As a server has it that was told of the path which a proxy takes off."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"root_path": prefix}, receive, send)

    return served


@pytest.mark.parametrize("put", [mounted, behind_a_proxy])
@pytest.mark.parametrize(
    "path, status",
    [
        ("/ai/", 200),
        ("/ai/health", 200),
        *((f"/ai{path}", 401) for path in GUARDED),
        ("/ai/ai/health", 401),
        ("/ai/health/", 401),
    ],
)
async def test_under_a_prefix_the_same_routes_are_open(put: Any, path: str, status: int) -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream, config=GatewayConfig(keys=(KEY,))) as app:
        made = await call(put(app), "GET", path)
    assert made.status == status


@pytest.mark.parametrize(
    "prefix, path, status",
    # The last two are what the router serves where the prefix is not there, or is the root.
    [("/ai", "/ai", 401), ("/ai", "/aihealth", 401), ("/ai", "/health", 200), ("/", "/health", 200)],
)
async def test_a_path_is_under_a_prefix_as_the_router_has_it(prefix: str, path: str, status: int) -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream, config=GatewayConfig(keys=(KEY,))) as app:
        assert (await call(behind_a_proxy(app, prefix), "GET", path)).status == status


async def test_no_other_origin_is_let_in() -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        asked = await call(app, "OPTIONS", CHAT, headers=headers)
        got = await call(app, "GET", "/status.json", headers=headers)
    assert asked.status == 405
    assert not [name for made in (asked, got) for name in made.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host, loopback", [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False)])
def test_an_address_is_this_machines_or_not(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "options, words",
    [
        ({"keys": ("short",)}, "8 or more printable ASCII letters"),
        ({"keys": (KEY, "gr\xfcner Schl\xfcssel")}, "8 or more printable ASCII letters"),
        # Callers' keys are taken without the blanks around them.
        *(({"keys": (key,)}, "without blanks at its ends") for key in (f" {KEY}", f"{KEY} ", f"{KEY}\n", " " * 8)),
        ({"max_turns": 0}, "max_turns is 0"),
        ({"max_body_bytes": 0}, "max_body_bytes is 0"),
        ({"drain_seconds": -1.0}, "drain_seconds"),
        ({"heartbeat_seconds": 0.0}, "heartbeat_seconds"),
        (
            {"reasoning_format": "loud"},
            "reasoning_format is 'loud'; it is one of 'reasoning_content', 'think_tags', 'none'",
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        GatewayConfig(**options)  # pyright: ignore[reportArgumentType]


def test_a_configuration_does_not_show_its_keys() -> None:
    assert KEY not in repr(GatewayConfig(keys=(KEY,)))
