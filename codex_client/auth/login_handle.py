"""One browser login that is under way: its URL, what it must remember, and how its answer is read. Pure.

    started ──URL shown──▶ waiting ──redirect, query, code#state or code──▶ read: a code, or a problem in words

Nothing raises while an answer is in a local variable: problems are values, and whoever gets one raises it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from hmac import compare_digest
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlencode

from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.json_fields import read_object
from codex_client.auth.pkce import Pkce
from codex_client.client.request_headers import blank_secrets
from codex_client.errors import LoginError
from codex_client.masking import excerpt

HANDLE_LIFETIME = 1800.0
"""Seconds for which a login that was started may be completed."""

# A handle may be completed on a machine whose clock is behind.
_CLOCK_SLACK = 300.0
_COPY_WHOLE = "copy the whole address that the browser shows after the login"
_OTHER_LOGIN = (
    "the state does not match: this belongs to another login; paste what came of the URL that was shown last, "
    "or start the login again"
)
_VERSION = 1
_MAX_PASTE_CHARS = 16 * 1024
_CODE = re.compile(r"[A-Za-z0-9._~+/=%-]{4,4096}")
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}")
# A long word with a digit in it is no prose: a token or a code, in whatever encoding.
_OPAQUE = re.compile(r"(?=[A-Za-z_+/=~.%-]*[0-9])[A-Za-z0-9_+/=~.%-]{24,}")
# Of RFC 6749, 4.1.2.1; what else is quoted.
_REFUSALS = {
    "access_denied": "the login was refused on the page",
    "server_error": "the issuer had a fault",
    "temporarily_unavailable": "the issuer is overloaded or under maintenance",
    "unauthorized_client": "the issuer does not let this client log in so",
    "invalid_request": "the issuer did not understand the login's URL",
    "invalid_scope": "the issuer does not grant the scopes that were asked for",
    "unsupported_response_type": "the issuer does not give codes to this client",
}
# The issuer's word, in the description of an access_denied, for a workspace whose plan or administrator excludes Codex.
_NO_CODEX = "missing_codex_entitlement"


@dataclass(frozen=True, slots=True)
class Callback:
    """What came back: a code, or in `problem` why there is none. `is_stray`: it does not belong to this login."""

    code: str | None = field(default=None, repr=False)
    problem: str | None = None
    is_stray: bool = False
    is_unchecked: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginHandle:
    """A login that was started. `to_json` keeps it for another process: a secret until the login is completed.

    `url` is to be opened by the user. `started_at` in Unix seconds. The repr shows neither verifier nor state.
    """

    url: str = field(repr=False)
    redirect_uri: str
    issuer: str
    client_id: str
    verifier: str = field(repr=False)
    state: str = field(repr=False)
    started_at: float

    @classmethod
    def start(cls, issuer: OAuthIssuer, *, pkce: Pkce, state: str, redirect_uri: str, now: float) -> Self:
        return cls(
            url=_login_url(issuer, pkce.challenge, state, redirect_uri),
            redirect_uri=redirect_uri,
            issuer=issuer.url,
            client_id=issuer.client_id,
            verifier=pkce.verifier,
            state=state,
            started_at=now,
        )

    def to_json(self) -> str:
        return json.dumps({"version": _VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The handle that `to_json` wrote. Raises `LoginError` for anything else."""
        handle = cls._parse(text)
        del text
        if handle is None:
            raise LoginError("this is no login that was started by this version; start the login again")
        return handle

    def has_expired(self, now: float) -> bool:
        return not -_CLOCK_SLACK <= now - self.started_at <= HANDLE_LIFETIME

    def read_redirect(self, query: str) -> Callback:
        """The answer in the query of a request to the redirect URI. Whatever has not our state is stray."""
        values = _parameters(query)
        if not self._owns(values.get("state")):
            return Callback(problem="state mismatch: this belongs to another login", is_stray=True)
        return self._read(values)

    def read_paste(self, text: str) -> Callback:
        """The answer in what a user pasted: the whole address, its query, `code#state`, or the bare code."""
        # Terminals and mail break long lines.
        text = "".join(line.strip() for line in text[:_MAX_PASTE_CHARS].splitlines()).strip("<>\"'` ")
        if not text:
            return Callback(problem="nothing was pasted; paste the address that the browser shows after the login")
        values = _parameters(text)
        if values.keys() & {"code", "error", "state"}:
            return self._read_pasted_query(values)
        code, with_state, state = text.partition("#")
        if not _CODE.fullmatch(code):
            return Callback(problem="this is neither an address with a code in it nor a code; " + _COPY_WHOLE)
        if with_state and not self._owns(state):
            return Callback(problem=_OTHER_LOGIN, is_stray=True)
        return Callback(code=code, is_unchecked=not with_state)

    def _read_pasted_query(self, values: dict[str, str]) -> Callback:
        if "state" in values and not self._owns(values["state"]):
            return Callback(problem=_OTHER_LOGIN, is_stray=True)
        if "code" in values and "state" not in values:
            return Callback(problem="the address has a code but no state, so it is not whole; " + _COPY_WHOLE)
        return self._read(values)

    def _read(self, values: dict[str, str]) -> Callback:
        if "error" in values:
            return Callback(problem=self._refusal(values["error"], values.get("error_description", "")))
        if not values.get("code"):
            return Callback(
                problem="the address has no code in it; it must be the one that the browser shows after the login"
            )
        return Callback(code=values["code"])

    def _refusal(self, error: str, description: str) -> str:
        if error == "access_denied" and _NO_CODEX in description:
            return "the workspace does not include Codex; choose another one, or ask its administrator for access"
        words = _REFUSALS.get(error)
        if words is not None:
            return f"{words} ({error}); start the login again"
        quoted = " ".join(part for part in (self._clean(error), self._clean(description)) if part)
        return f"the issuer ended the login: {quoted or 'no reason given'}; start the login again"

    def _clean(self, text: str) -> str:
        known = blank_secrets(text, [self.verifier, self.state])
        return excerpt(_OPAQUE.sub("***", _EMAIL.sub("***", known)), 200)

    def _owns(self, state: str | None) -> bool:
        return compare_digest((state or "").encode(), self.state.encode())

    @classmethod
    def _parse(cls, text: str) -> Self | None:
        try:
            members = read_object(json.loads(text))
        except (ValueError, RecursionError):
            return None
        if members.pop("version", None) != _VERSION or members.keys() != {each.name for each in fields(cls)}:
            return None
        started_at = members.pop("started_at")
        if not all(isinstance(value, str) and value for value in members.values()):
            return None
        if isinstance(started_at, bool) or not isinstance(started_at, int | float):
            return None
        return cls(**members, started_at=float(started_at))


def _login_url(issuer: OAuthIssuer, challenge: str, state: str, redirect_uri: str) -> str:
    """With the parameters in the order of the Codex CLI."""
    parameters: dict[str, str] = {
        "response_type": "code",
        "client_id": issuer.client_id,
        "redirect_uri": redirect_uri,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "state": state,
        "scope": " ".join(issuer.scopes),
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "originator": issuer.originator,
    }
    if issuer.workspace_id is not None:
        parameters["allowed_workspace_id"] = issuer.workspace_id
    return f"{issuer.authorize_url}?{urlencode(parameters, quote_via=quote)}"


def _parameters(text: str) -> dict[str, str]:
    """The query's parameters, the first of each name, of an address or of a query alone."""
    query = text.partition("?")[2] if "?" in text else text
    try:
        values: dict[str, list[Any]] = parse_qs(query.partition("#")[0], keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: str(each[0]) for name, each in values.items()}
