"""An OAuth issuer on this machine that behaves as ChatGPT's: the authorize page, the token and revocation endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from codex_client.auth.issuer import OAuthIssuer
from codex_client.testing.accounts import ServerAccount
from codex_client.testing.device_logins import DeviceLogins, challenge_of
from codex_client.testing.refusals import ISSUER_REFUSALS, RefusalError, account_refused, oauth_refused, refused
from codex_client.testing.requests import RecordedRequest
from codex_client.testing.scripts import Reply
from codex_client.testing.token_families import Grant, TokenFamilies, TokenFamily

_SCOPES = frozenset(
    {"openid", "profile", "email", "offline_access", "api.connectors.read", "api.connectors.invoke", "model.request"}
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CODE_LIFETIME = 600.0
_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
_FORM = "application/x-www-form-urlencoded"


class IssuerSettings(Protocol):
    """What the issuer asks of the server that it is a part of."""

    access_lifetime: float
    device_login: bool
    device_interval: float
    secrets: set[str]

    @property
    def issuer(self) -> OAuthIssuer: ...

    @property
    def accounts(self) -> list[ServerAccount]: ...

    def now(self) -> float: ...


@dataclass(frozen=True, slots=True)
class _Code:
    """What an authorization code stands for."""

    account: ServerAccount
    challenge: str = field(repr=False)
    redirect_uri: str
    client_id: str
    scope: str
    expires_at: float


class IssuerDouble:
    """The endpoints below `/oauth` and `/api/accounts`, as functions from a request to its reply.

    Each raises `RefusalError` for what the issuer would refuse.
    """

    def __init__(self, settings: IssuerSettings) -> None:
        self._settings = settings
        self.tokens: TokenFamilies = TokenFamilies(
            url=lambda: settings.issuer.url, now=settings.now, secrets=settings.secrets
        )
        self.devices: DeviceLogins = DeviceLogins(
            now=settings.now, new_secret=self.tokens.new_secret, grant_code=self._device_code
        )
        self._codes: dict[str, _Code] = {}
        self._used_codes: dict[str, TokenFamily] = {}
        self.routes: dict[str, Callable[[RecordedRequest], Reply]] = {
            "GET /oauth/authorize": self.authorize,
            "POST /oauth/token": self.token,
            "POST /oauth/revoke": self.revoke,
            "POST /api/accounts/deviceauth/usercode": self.user_code,
            "POST /api/accounts/deviceauth/token": self.device_token,
        }

    def authorize(self, request: RecordedRequest, *, account: ServerAccount | None = None, deny: bool = False) -> Reply:
        """What the login page comes to: a redirect with a code, or with the reason why there is none."""
        asked = request.query
        self._check_address(asked)
        if fault := _authorize_fault(asked):
            return _redirect(asked, error=fault[0], error_description=fault[1])
        workspace = asked.get("allowed_workspace_id")
        user = account or self._user(workspace)
        if deny or user is None or (workspace and workspace != user.account_id):
            told = "The user refused the login." if deny else "No account of this workspace is signed in."
            return _redirect(asked, error="access_denied", error_description=told)
        challenge, scope = asked["code_challenge"], asked["scope"]
        code = self._new_code(user, challenge, redirect_uri=asked["redirect_uri"], scope=scope)
        return _redirect(asked, code=code, scope=scope)

    def token(self, request: RecordedRequest) -> Reply:
        asked = body_fields(request)
        match asked.get("grant_type"):
            case "authorization_code":
                _check_form(request)
                return self._redeem(asked)
            case "refresh_token":
                return self._refresh(asked)
            case grant_type if grant_type == _TOKEN_EXCHANGE:
                _check_form(request)
                return self._exchange_api_key(asked)
            case grant_type:
                raise oauth_refused("unsupported_grant_type", f"No grant type {grant_type!r}.", problem="no grant type")

    def revoke(self, request: RecordedRequest) -> Reply:
        """RFC 7009: an unknown token is as good as revoked."""
        asked = body_fields(request)
        self._check_client(asked)
        token = str(asked.get("token") or "")
        if not token:
            raise oauth_refused("invalid_request", "No token.", problem="a revocation without a token")
        with suppress(KeyError):
            self.tokens.end(token, "refresh_token_invalidated", revoke=True)
        return Reply.from_json({})

    def user_code(self, request: RecordedRequest) -> Reply:
        if not self._settings.device_login:
            raise refused(404, "not_found", "Device code login is not enabled.")
        self._check_client(body_fields(request))
        return self.devices.start(self._settings.device_interval)

    def device_token(self, request: RecordedRequest) -> Reply:
        return self.devices.poll(body_fields(request))

    def _redeem(self, asked: Mapping[str, Any]) -> Reply:
        self._check_client(asked)
        verifier, text = str(asked.get("code_verifier") or ""), str(asked.get("code") or "")
        self._settings.secrets.update({verifier} - {""})
        if text in self._used_codes:
            # RFC 6749, 4.1.2: what came of a code that is used twice is revoked.
            family = self._used_codes[text]
            family.ended, family.is_revoked = "refresh_token_invalidated", True
            raise _bad_grant("The code has been used.", "an authorization code was used a second time")
        code = self._codes.pop(text, None)
        if code is None or self._settings.now() >= code.expires_at:
            raise _bad_grant("The code is not known or has expired.")
        if asked.get("redirect_uri") != code.redirect_uri:
            raise _bad_grant("The redirect URI is another one.", "a code was redeemed with another redirect_uri")
        if challenge_of(verifier) != code.challenge:
            raise _bad_grant("The verifier does not match.", "a code was redeemed with a wrong verifier")
        family = self.tokens.start(code.account, client_id=code.client_id, scope=code.scope)
        self._used_codes[text] = family
        return self._granted(family)

    def _refresh(self, asked: Mapping[str, Any]) -> Reply:
        self._check_client(asked)
        family = self.tokens.use(str(asked.get("refresh_token") or ""))
        if family.account.refusal in ISSUER_REFUSALS:
            raise account_refused(family.account.refusal, family.account.plan_type)
        return self._granted(family)

    def _exchange_api_key(self, asked: Mapping[str, Any]) -> Reply:
        self._check_client(asked)
        wanted = {"requested_token": "openai-api-key", "subject_token_type": _ID_TOKEN}
        if any(asked.get(name) != value for name, value in wanted.items()):
            raise oauth_refused("invalid_request", "Not a request for an API key.", problem="a wrong token exchange")
        issued = self.tokens.identity(str(asked.get("subject_token") or ""))
        if issued is None or self._settings.now() >= issued.expires_at:
            raise refused(401, "invalid_subject_token", "Invalid ID token.")
        if issued.family.account.organization_id is None:
            raise refused(401, "invalid_subject_token", "Invalid ID token: missing organization_id")
        return Reply.from_json({"access_token": self.tokens.new_secret("sk-"), "token_type": "Bearer"})

    def _granted(self, family: TokenFamily) -> Reply:
        grant: Grant = self.tokens.grant(family, self._settings.access_lifetime)
        return Reply.from_json(grant.as_json(family.scope))

    def _check_client(self, asked: Mapping[str, Any]) -> None:
        client_id = self._settings.issuer.client_id
        if asked.get("client_id") != client_id:
            problem = f"client id {asked.get('client_id')!r} in place of {client_id!r}"
            raise oauth_refused("invalid_client", "No such client.", status=401, problem=problem)

    def _check_address(self, asked: Mapping[str, str]) -> None:
        """Client and redirect URI: while these are in doubt nothing may be redirected (RFC 6749, 4.1.2.1)."""
        self._check_client(asked)
        parts = urlsplit(asked.get("redirect_uri", ""))
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK or parts.path != "/auth/callback" or parts.query:
            problem = f"redirect_uri {asked.get('redirect_uri')!r}, which the issuer does not know"
            raise oauth_refused("invalid_request", "Unknown redirect_uri.", problem=problem)

    def _user(self, workspace: str | None) -> ServerAccount | None:
        accounts = self._settings.accounts
        return next((each for each in accounts if workspace in (None, each.account_id)), None)

    def _device_code(self, account: ServerAccount, challenge: str) -> str:
        issuer = self._settings.issuer
        return self._new_code(
            account, challenge, redirect_uri=issuer.device_redirect_uri, scope=" ".join(issuer.scopes)
        )

    def _new_code(self, account: ServerAccount, challenge: str, *, redirect_uri: str, scope: str) -> str:
        text = self.tokens.new_secret("ac_")
        expires_at = self._settings.now() + _CODE_LIFETIME
        self._codes[text] = _Code(account, challenge, redirect_uri, self._settings.issuer.client_id, scope, expires_at)
        return text


def body_fields(request: RecordedRequest) -> dict[str, Any]:
    """The fields of a form or of a JSON object; empty for anything else."""
    if _is_form(request):
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))
    try:
        asked = request.json()
    except ValueError:
        return {}
    return cast("dict[str, Any]", asked) if isinstance(asked, dict) else {}


def _is_form(request: RecordedRequest) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def _check_form(request: RecordedRequest) -> None:
    if not _is_form(request):
        problem = "a code or token exchange that is no form"
        raise oauth_refused("invalid_request", f"The body must be {_FORM}.", problem=problem)


def _authorize_fault(asked: Mapping[str, str]) -> tuple[str, str] | None:
    if asked.get("response_type") != "code":
        return "unsupported_response_type", "The response type must be code."
    if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
        return "invalid_request", "An S256 code challenge is required."
    if not asked.get("state"):
        return "invalid_request", "A state is required."
    scopes = set(asked.get("scope", "").split())
    if "openid" not in scopes or scopes - _SCOPES:
        return "invalid_scope", f"The scopes {sorted(scopes)} are not allowed."
    return None


def _redirect(asked: Mapping[str, str], **told: str) -> Reply:
    state = {"state": asked["state"]} if asked.get("state") else {}
    location = f"{asked['redirect_uri']}?{urlencode({**told, **state})}"
    return Reply(status=302, headers={"location": location})


def _bad_grant(description: str, problem: str | None = None) -> RefusalError:
    return oauth_refused("invalid_grant", description, problem=problem)
