"""An account server on a clock turned by hand, with a plain HTTP client that speaks to it by the reference's words."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from codex_client.auth.tokens import TokenSet
from codex_client.testing import AccountServer, ManualClock

VERIFIER = "verifier-of-the-test-" + "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT_URI = "http://localhost:1455/auth/callback"
SCOPE = "openid profile email offline_access"
TURN = {"model": "gpt-5", "instructions": "Be brief.", "input": [], "store": False, "stream": True}


@dataclass
class Caller:
    """What a program asks of the server, request by request."""

    server: AccountServer
    http: httpx.AsyncClient

    def authorize_url(self, **changes: str | None) -> str:
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.server.issuer.client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "state-1",
            "scope": SCOPE,
            **changes,
        }
        present = {name: value for name, value in asked.items() if value is not None}
        return f"{self.server.issuer.authorize_url}?{urlencode(present)}"

    def new_code(self, **changes: str | None) -> str:
        return query_of(self.server.visit(self.authorize_url(**changes)))["code"]

    async def redeem(self, code: str, /, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.server.issuer.client_id,
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
            **changes,
        }
        return await self.http.post("/oauth/token", data=form)

    async def refresh(self, refresh_token: str | None, **changes: str) -> httpx.Response:
        asked = {
            "grant_type": "refresh_token",
            "client_id": self.server.issuer.client_id,
            "refresh_token": refresh_token,
            **changes,
        }
        return await self.http.post("/oauth/token", json=asked)

    async def usage(self, tokens: TokenSet) -> httpx.Response:
        return await self.http.get("/backend-api/wham/usage", headers=credentials(tokens))

    async def turn(self, tokens: TokenSet, **changes: Any) -> httpx.Response:
        body = {name: value for name, value in {**TURN, **changes}.items() if value is not ...}
        return await self.http.post("/backend-api/codex/responses", json=body, headers=credentials(tokens))


def credentials(tokens: TokenSet) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens.access_token}", "chatgpt-account-id": tokens.account_id or ""}


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return httpx.Response(200, content=urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).json()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and error code, wherever it stands."""
    body = answer.json()
    error = body.get("error", body.get("detail"))
    return answer.status_code, error["code"] if isinstance(error, dict) else error


@asynccontextmanager
async def calling(clock: ManualClock | None = None) -> AsyncGenerator[Caller]:
    async with AccountServer(clock or ManualClock()) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            yield Caller(server, http)
        await server.idle()
