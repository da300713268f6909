"""The app as an ASGI server sees it, and what is said where it cannot run."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest

from codex_client.errors import ConfigurationError, MissingExtraError
from codex_client.gateway import create_app, serve
from codex_client.testing import ReplayServer
from tests.support.gateways import gateway_over


async def test_it_lives_and_ends_with_a_server_that_speaks_of_lifespans() -> None:
    sent: list[str] = []
    received = ["lifespan.startup", "lifespan.shutdown"]

    async def receive() -> dict[str, Any]:
        return {"type": received.pop(0)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "prometheus_client"])
def test_where_a_package_is_missing_the_extra_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith(("codex_client.gateway", package)):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=f"'{package}'; pip install 'codex-client.gateway.'") as missing:
        import_module("codex_client.gateway")
    assert missing.value.extra == "gateway"


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_on_trio_the_server_says_that_it_cannot(anyio_backend: str) -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        with pytest.raises(ConfigurationError, match="asyncio only"):
            await serve(app)


class _Client:
    """A client of somebody's own that tells nothing of itself."""

    def stream(self, prompt: Any) -> Any: ...

    async def collect(self, prompt: Any) -> Any: ...

    async def aclose(self) -> None: ...


def test_somebody_elses_client_is_taken_for_one_of_the_responses_api() -> None:
    assert create_app(_Client()).state.gateway.upstream == "responses"
