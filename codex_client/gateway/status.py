"""How a gateway is: for people, for load balancers and for Prometheus."""

from __future__ import annotations

import base64
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from codex_client.errors import CodexError
from codex_client.gateway.accounts import PoolView, view_pool
from codex_client.gateway.state import Gateway
from codex_client.version import __version__


class StatusPages:
    """The routes that tell how the gateway is. None of them sends anything to the provider."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def page(self, _: Request) -> Response:
        """`GET /`: the page itself holds nothing of the gateway; it asks for `status.json`."""
        text, policy = _page()
        headers = {
            "content-security-policy": policy,
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        return HTMLResponse(text, headers=headers)

    async def health(self, _: Request) -> Response:
        """`GET /health`: whether turns are served; `busy` is 200, because what is full is not broken."""
        status, _accounts = await self._state()
        return JSONResponse({"status": status}, 200 if status in ("ok", "busy") else 503, _UNCACHED)

    async def metrics(self, _: Request) -> Response:
        """`GET /metrics`."""
        _status, pool = await self._state()
        text = self._gateway.metrics.text(pool.accounts if pool is not None else ())
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def status(self, _: Request) -> Response:
        """`GET /status.json`: what the page shows."""
        return JSONResponse(await self._status(), headers=_UNCACHED)

    async def _status(self) -> dict[str, Any]:
        gateway, activity = self._gateway, self._gateway.activity
        status, pool = await self._state()
        return {
            "status": status,
            "version": __version__,
            "now": gateway.clock.time(),
            "started_at": activity.started_at,
            "turns_in_flight": activity.in_flight,
            "requests_arriving": activity.arriving,
            "max_turns": activity.max_turns,
            "totals": gateway.metrics.totals(),
            # None where the gateway has one credential, and no accounts to choose from.
            "accounts": None if gateway.pool is None else [asdict(each) for each in (pool.accounts if pool else ())],
            "next_available_at": pool.next_available_at if pool is not None else None,
            "failures": [asdict(each) for each in reversed(activity.failures)],
        }

    async def _state(self) -> tuple[str, PoolView | None]:
        """`ok`, or why no turn can be served now; and the accounts, where there are any to tell of."""
        pool, activity = None, self._gateway.activity
        draining = activity.draining
        if self._gateway.pool is not None:
            try:
                pool = await view_pool(self._gateway.pool, now=self._gateway.clock.time())
            except CodexError:
                # The turns fail with it too, and are on the list of failures.
                return "draining" if draining else "accounts_unreadable", None
        if draining:
            return "draining", pool
        if pool is not None and not pool.can_serve:
            return "no_account", pool
        return ("busy" if activity.full else "ok"), pool


_UNCACHED = {"cache-control": "no-store"}


@cache
def _page() -> tuple[str, str]:
    """The page, and the policy under which nothing but its own script and style runs in it."""
    text = (files(__package__ or "codex_client.gateway") / "status_page.html").read_text("utf-8")
    script, style = (_hash(text, tag) for tag in ("script", "style"))
    rules = ("default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'")
    return text, "; ".join([*rules, "frame-ancestors 'none'", f"script-src {script}", f"style-src {style}"])


def _hash(text: str, tag: str) -> str:
    """The one element's source as a policy names it (CSP 3, 2.3.1)."""
    source = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"'sha256-{base64.b64encode(sha256(source.encode()).digest()).decode()}'"
