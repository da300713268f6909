"""The ChatGPT Codex backend on this machine: turns, models, usage. It checks as strictly as the real one."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

from codex_client.testing.account_limits import limit_headers, rate_limit_event, usage_limit_reply, usage_report
from codex_client.testing.accounts import ServerAccount
from codex_client.testing.backend_checks import check_seals, checked_body
from codex_client.testing.builders import Event
from codex_client.testing.refusals import RefusalError, account_refused, detail_refused, wrong_workspace
from codex_client.testing.requests import RecordedRequest
from codex_client.testing.scripts import Reply
from codex_client.testing.token_families import TokenFamilies
from codex_client.testing.turns import responses_turn

_ETAG = 'W/"models-1"'


class BackendSettings(Protocol):
    """What the backend asks of the server that it is a part of."""

    text: str
    models: tuple[str, ...]
    limit_ids: dict[str, str]
    rate_limit_events: bool

    def now(self) -> float: ...


class BackendDouble:
    """The endpoints below `/backend-api`, as functions from a request to its reply.

    Each raises `RefusalError` for what the backend would refuse.
    """

    def __init__(self, settings: BackendSettings, tokens: TokenFamilies) -> None:
        self._settings = settings
        self._tokens = tokens
        self._numbers = count(1)
        self._seals: dict[str, ServerAccount] = {}
        self.routes: dict[str, Callable[[RecordedRequest], Reply]] = {
            "POST /backend-api/codex/responses": self.responses,
            "GET /backend-api/codex/models": self.models,
            "GET /backend-api/wham/usage": self.usage,
            "GET /api/codex/usage": self.usage,
        }

    def responses(self, request: RecordedRequest) -> Reply:
        return self._with_account(request, self._turn)

    def models(self, request: RecordedRequest) -> Reply:
        return self._with_account(request, self._model_list)

    def usage(self, request: RecordedRequest) -> Reply:
        return self._with_account(request, self._usage)

    def _usage(self, account: ServerAccount, request: RecordedRequest) -> Reply:
        return Reply.from_json(usage_report(account, self._settings.now()))

    def _with_account(
        self, request: RecordedRequest, answer: Callable[[ServerAccount, RecordedRequest], Reply]
    ) -> Reply:
        """The answer for who the bearer token says; what is refused is noted at that account."""
        token = _bearer(request)
        issued = self._tokens.access(token)
        if issued is None:
            told = "Could not parse your authentication token. Please try signing in again."
            raise detail_refused(401, told, name="unknown_token")
        account = issued.family.account
        account.requests.append(request)
        try:
            if self._settings.now() >= issued.expires_at:
                raise account_refused("token_expired", account.plan_type)
            if issued.family.is_revoked:
                raise account_refused("token_revoked", account.plan_type)
            _check_workspace(account, request)
            if account.refusal is not None:
                raise account_refused(account.refusal, account.plan_type)
            return answer(account, request)
        except RefusalError as refusal:
            account.refusals.append(refusal.name)
            raise

    def _turn(self, account: ServerAccount, request: RecordedRequest) -> Reply:
        settings, now = self._settings, self._settings.now()
        body = checked_body(request)
        model = self._checked_model(account, body.get("model"))
        check_seals(body["input"], self._seals, account)
        limit_id = settings.limit_ids.get(model, "codex")
        if (resets_at := account.available_at(limit_id)) is not None:
            raise RefusalError("usage_limit_reached", usage_limit_reply(account, limit_id, resets_at, now))
        account.spend(limit_id)
        events = self._events(account, body, model)
        if settings.rate_limit_events:
            events.insert(1, rate_limit_event(account, limit_id))
        headers = {"openai-model": model, "x-models-etag": _ETAG, **limit_headers(account, limit_id, now)}
        return Reply.from_events(events, headers=headers)

    def _events(self, account: ServerAccount, body: dict[str, Any], model: str) -> list[Event]:
        """A turn; with reasoning where that was asked for, and its encrypted form."""
        response_id = f"resp_{next(self._numbers)}"
        if not body.get("reasoning") or "reasoning.encrypted_content" not in (body.get("include") or ()):
            return responses_turn(self._settings.text, response_id=response_id, model=model)
        seal = f"gAAAA{secrets.token_urlsafe(24)}"
        self._seals[seal] = account
        events = responses_turn(
            self._settings.text, reasoning_summary="Thinking.", response_id=response_id, model=model
        )
        return [_sealed(event, seal) for event in events]

    def _model_list(self, account: ServerAccount, request: RecordedRequest) -> Reply:
        slugs = [slug for slug in self._settings.models if account.models is None or slug in account.models]
        listed = [{"slug": slug, "display_name": slug, "supported_in_api": True} for slug in slugs]
        return Reply.from_json({"models": listed}, headers={"etag": _ETAG})

    def _checked_model(self, account: ServerAccount, model: Any) -> str:
        if model in self._settings.models and (account.models is None or model in account.models):
            return str(model)
        told = f"The '{model}' model is not supported when using Codex with a ChatGPT account."
        raise detail_refused(400, told, name="model_not_supported")


def _bearer(request: RecordedRequest) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise detail_refused(401, "Unauthorized", name="unauthorized", problem="a request without a bearer token")
    return token


def _sealed(event: Event, seal: str) -> Event:
    """The event with the encrypted form in its finished reasoning items."""
    if event["type"] == "response.output_item.done":
        return {**event, "item": _sealed_item(event["item"], seal)}
    if event["type"] == "response.completed":
        response = event["response"]
        output = [_sealed_item(item, seal) for item in response["output"]]
        return {**event, "response": {**response, "output": output}}
    return event


def _sealed_item(item: Event, seal: str) -> Event:
    return {**item, "encrypted_content": seal} if item["type"] == "reasoning" else item


def _check_workspace(account: ServerAccount, request: RecordedRequest) -> None:
    told = request.headers.get("chatgpt-account-id")
    if told != account.account_id:
        to = "no account" if told is None else f"account {told!r}"
        raise wrong_workspace(problem=f"the bearer token of account {account.account_id!r} was sent for {to}")
