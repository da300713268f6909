"""Token sets from environment variables."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping

from codex_client import settings
from codex_client.api import Clock
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet

_log = logging.getLogger("codex_client")

_VARIABLE = re.compile(r"CODEX_(?:(?P<number>[0-9]{1,4})_)?(?:ACCESS_TOKEN|REFRESH_TOKEN|ID_TOKEN|ACCOUNT_ID)")


class EnvironmentTokenStore(MemoryTokenStore):
    """The logins that the environment held when this was made: CODEX_ACCESS_TOKEN, CODEX_REFRESH_TOKEN, CODEX_ID_TOKEN
    and CODEX_ACCOUNT_ID, and the same with a number, CODEX_1_ACCESS_TOKEN and so on.

    Nothing can be written back: what is rotated lives as long as the process, and a warning says so once. The next
    process then finds a refresh token that is used up. A login without an access token is left out, with a warning.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, *, clock: Clock | None = None) -> None:
        super().__init__(logins_in_environment(environ), clock=clock)
        self._has_warned = False

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        is_known = (await self.load()).get(key or tokens.key) == tokens
        await super().save(tokens, key=key)
        if not self._has_warned and not is_known:
            self._has_warned = True
            _log.warning(
                "account %s has new tokens, and environment variables cannot be written back: the next process will "
                "find used-up ones there; keep the login in a file to use it for longer",
                key or tokens.key,
            )


def logins_in_environment(environ: Mapping[str, str]) -> list[TokenSet]:
    """Every login once, the one without a number first. Raises nothing: a traceback with locals shows `environ`."""
    found: dict[str, TokenSet] = {}
    for prefix in _prefixes(environ):
        tokens = _login(environ, prefix)
        if tokens is not None:
            found.setdefault(tokens.key, tokens)
    return list(found.values())


def _prefixes(environ: Mapping[str, str]) -> list[str]:
    matches = [match for name in environ if (match := _VARIABLE.fullmatch(name))]
    numbers = {match["number"] for match in matches if match["number"]}
    return ["CODEX_", *(f"CODEX_{number}_" for number in sorted(numbers, key=lambda each: (int(each), each)))]


def _login(environ: Mapping[str, str], prefix: str) -> TokenSet | None:
    def read(name: str) -> str | None:
        return environ.get(prefix + name, "").strip() or None

    access_token = read("ACCESS_TOKEN")
    if access_token is None:
        if read("REFRESH_TOKEN") is not None:
            _log.warning("%sREFRESH_TOKEN is set without %sACCESS_TOKEN and is not used; set both", prefix, prefix)
        return None
    return TokenSet.from_tokens(
        access_token,
        refresh_token=read("REFRESH_TOKEN"),
        id_token=read("ID_TOKEN"),
        issuer=settings.ISSUER.read(environ) or OAuthIssuer().url,
        account_id=read("ACCOUNT_ID"),
        source="environment",
    )
