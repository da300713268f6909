"""A server that plays ChatGPT to a program: issuer, usage endpoint and Codex backend, on one loopback socket."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

import httpx

from codex_client.api import Clock, SystemClock
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.tokens import TokenSet
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.testing.accounts import ServerAccount
from codex_client.testing.backend_double import BackendDouble
from codex_client.testing.faults import Disturbance, Faults, Position
from codex_client.testing.issuer_double import IssuerDouble, body_fields
from codex_client.testing.refusals import RefusalError
from codex_client.testing.replay_server import ReplayServer
from codex_client.testing.requests import RecordedRequest
from codex_client.testing.scripts import Reply, ReplyLike, Reset, Step, as_reply

_TOKEN_PATH = "/oauth/token"


class AccountServer(ReplayServer):
    """ChatGPT for tests, with accounts that you make up: `async with AccountServer() as server`.

    It keeps its own books: tokens expire, refresh tokens rotate and die when used twice, device codes wait for their
    user, windows of usage fill with each turn and begin anew in time, by `clock` (`skew` seconds ahead of it). What it
    checks and how it refuses is the real servers' way. `requests`, `received`, `at_rest`, `release` and `problems`
    are those of `ReplayServer`; `problems` also notes what a good client does not do: a refresh token used twice, a
    wrong client id, one account's token sent for another, a device login polled too fast.

    Its secrets are made for the tests: all of them are in `secrets`, and those that it makes itself have the word
    "canary" in them.
    """

    accounts: list[ServerAccount]
    """Every account, in the order of `add_account`. Who logs in and does not say who is the first."""

    secrets: set[str]
    """Every token, code, PKCE verifier, API key and e-mail address that the server made or was told: nothing of it may
    turn up in a log, an error or a file but the token store.
    """

    skew: float
    """Seconds that the server's clock is ahead of `clock`."""

    access_lifetime: float
    """Seconds that the access tokens of logins and refreshes last."""

    device_login: bool
    """Whether device logins are enabled; where not, the issuer answers 404."""

    device_interval: float
    """Seconds that a device login has to leave between its polls."""

    text: str
    """What the model says in each turn."""

    models: tuple[str, ...]
    """The models that there are. `ServerAccount.models` may leave some out."""

    limit_ids: dict[str, str]
    """The family of limits that a model counts against; `codex` for those that are not here."""

    rate_limit_events: bool
    """Whether each turn also has a `codex.rate_limits` event."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        super().__init__(self._answer, clock=self._clock)
        self.accounts = []
        self.secrets = set()
        self.skew = 0.0
        self.access_lifetime = 3600.0
        self.device_login = True
        self.device_interval = 5.0
        self.text = "Hello from the account server."
        self.models = ("gpt-5", "gpt-5-codex", "gpt-5-mini")
        self.limit_ids = {}
        self.rate_limit_events = False
        self._faults = Faults()
        self._issuer = IssuerDouble(self)
        self._backend = BackendDouble(self, self._issuer.tokens)
        self._routes = self._issuer.routes | self._backend.routes

    @property
    def issuer(self) -> OAuthIssuer:
        """This server as an issuer, for `OAuthClient`. It takes callbacks on any port."""
        return OAuthIssuer(url=self.url, ports=(0,))

    @property
    def base_url(self) -> str:
        return f"{self.url}/backend-api/codex"

    def provider(self, wire_api: WireApi | Literal["responses", "chat"] = WireApi.RESPONSES) -> ModelProviderInfo:
        """The backend as a provider; a credential comes from `auth`."""
        return ModelProviderInfo(
            name="chatgpt", base_url=self.base_url, wire_api=WireApi(wire_api), profile="chatgpt-codex"
        )

    def now(self) -> float:
        """Unix seconds by the server's clock."""
        return self._clock.time() + self.skew

    def add_account(
        self,
        account_id: str = "acct-1",
        *,
        email: str | None = None,
        plan_type: str = "plus",
        subject: str | None = None,
        organization_id: str | None = None,
        project_id: str | None = None,
        models: Collection[str] | None = None,
    ) -> ServerAccount:
        """An account without limits. `account_id` is the ChatGPT workspace, `subject` the person; one person or one
        `email` may be in several. With an `organization_id` its login may be exchanged for an API key.
        """
        subject = subject or f"user-{account_id}"
        if any((each.account_id, each.subject) == (account_id, subject) for each in self.accounts):
            raise ValueError(f"subject {subject!r} has an account {account_id!r} already; give another of the two")
        account = ServerAccount(
            account_id=account_id,
            email=email or f"{account_id}.canary@example.test",
            plan_type=plan_type,
            subject=subject,
            clock=self.now,
            organization_id=organization_id,
            project_id=project_id,
            models=models,
        )
        self.accounts.append(account)
        self.secrets.add(account.email)
        return account

    def issue(self, account: ServerAccount, lifetime: float = 3600.0) -> TokenSet:
        """The tokens of a login that has happened: now, or as long ago as its access token is short of a new one's
        `access_lifetime`. `lifetime`: seconds that are left of it.
        """
        issuer = self.issuer
        family = self._issuer.tokens.start(account, client_id=issuer.client_id, scope=" ".join(issuer.scopes))
        grant = self._issuer.tokens.grant(family, lifetime)
        return TokenSet.from_tokens(
            grant.access_token,
            refresh_token=grant.refresh_token,
            id_token=grant.id_token,
            issuer=issuer.url,
            client_id=issuer.client_id,
            refreshed_at=self._clock.time() - max(0.0, self.access_lifetime - lifetime),
        )

    def visit(self, authorize_url: str, account: ServerAccount | None = None, *, deny: bool = False) -> str:
        """Play the browser of a user who logs in there and agrees, or does not: the URL that it is sent back to.

        Nothing is sent to that URL. A fault in the parameters comes back in the URL, as `error`; raises
        `AssertionError` where the issuer would show a page and redirect nowhere.
        """
        parts = urlsplit(authorize_url)
        if f"{parts.scheme}://{parts.netloc}" != self.url or parts.path != "/oauth/authorize":
            page = authorize_url.partition("?")[0]
            raise AssertionError(f"the login page is {self.issuer.authorize_url}, not {page}")
        request = RecordedRequest("GET", f"{parts.path}?{parts.query}", httpx.Headers())
        try:
            reply = self._issuer.authorize(request, account=account, deny=deny)
        except RefusalError as refusal:
            self._note(refusal)
            raise AssertionError(f"the issuer shows an error page: {refusal.problem or refusal.name}") from None
        return dict(reply.header_list)["location"]

    def approve(self, user_code: str, account: ServerAccount | None = None) -> None:
        """The user types the code of a device login and agrees."""
        self._issuer.devices.decide(user_code, "approved", account or self.accounts[0])

    def deny(self, user_code: str) -> None:
        """The user types the code of a device login and refuses."""
        self._issuer.devices.decide(user_code, "denied", self.accounts[0])

    def expire(self, user_code: str) -> None:
        """The time of a device login is over; it is by itself 15 minutes after its start."""
        self._issuer.devices.decide(user_code, "expired", self.accounts[0])

    def revoke_family(self, tokens: TokenSet) -> None:
        """All tokens of this login are revoked, as by a logout elsewhere."""
        self._issuer.tokens.end(tokens.access_token, "refresh_token_invalidated", revoke=True)

    def expire_family(self, tokens: TokenSet) -> None:
        """The refresh token of this login has expired; its access token lasts as long as it says."""
        self._issuer.tokens.end(tokens.access_token, "refresh_token_expired", revoke=False)

    def fail(self, path: str, reply: ReplyLike, times: int = 1) -> None:
        """Answer the next `times` requests for `path` so, and do nothing of what they ask.

        `path`: the end of a path, with or without a method before it ("POST /oauth/token").
        """
        self._faults.add(path, as_reply(reply), times)

    def disturb(self, path: str, *steps: Step, at: Position = "head", times: int = 1) -> None:
        """Do what the next `times` requests for `path` ask, and put `steps` into the answer, `at` as in `Reply.at`.

        Without steps the connection breaks before the answer: that is a refresh whose token is used up, and whose
        answer is lost. `Hold()` delays it until `release`.
        """
        self._faults.add(path, Disturbance(at, steps or (Reset(),)), times)

    @property
    def refreshes(self) -> int:
        """Refreshes that were asked for, whatever became of them."""
        posts = [request for request in self.requests if request.path == _TOKEN_PATH]
        return sum(body_fields(request).get("grant_type") == "refresh_token" for request in posts)

    def assert_complete(self) -> None:
        """Raise `AssertionError` if there were problems or faults are left that have not happened."""
        unused = [f"{self._faults.left} faults did not happen"] if self._faults.left else []
        if self.problems or unused:
            raise AssertionError("; ".join([*self.problems, *unused]))

    def _answer(self, request: RecordedRequest) -> Reply:
        fault = self._faults.take(request)
        if isinstance(fault, Reply):
            return fault
        reply = self._served(request)
        reply = _with_request_id(reply, f"req_{len(self.requests)}")
        return reply if fault is None else fault.apply(reply)

    def _served(self, request: RecordedRequest) -> Reply:
        serve = self._routes.get(f"{request.method} {request.path}")
        if serve is None:
            self.problems.append(f"{request.method} {request.path}, which is not there")
            return Reply.error(404, "Not Found", code="not_found")
        try:
            return serve(request)
        except RefusalError as refusal:
            self._note(refusal)
            return refusal.reply

    def _note(self, refusal: RefusalError) -> None:
        if refusal.problem is not None:
            self.problems.append(refusal.problem)


def _with_request_id(reply: Reply, request_id: str) -> Reply:
    return replace(reply, headers=[*reply.header_list, ("x-request-id", request_id)])
