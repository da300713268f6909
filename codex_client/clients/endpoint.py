"""A small question to a provider outside of any turn: under a lease, reported, a 401 answered with a refresh."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from codex_client.api import AttemptOutcome, AuthProvider, Clock, Lease, RequestCustomizer
from codex_client.classify import status_error
from codex_client.client.answer import report_quietly
from codex_client.client.exchange import Exchange, ExchangeAnswer
from codex_client.client.rate_limits import HeaderRateLimits
from codex_client.client.request_headers import blank_secrets, secret_values
from codex_client.errors import AuthenticationError, CodexError, UnexpectedContentError, UnexpectedStatusError
from codex_client.masking import excerpt, safe_url
from codex_client.model_provider import ModelProviderInfo
from codex_client.model_variants import RateLimitSnapshot
from codex_client.retry_advice import lower_names

T = TypeVar("T")

_EMAIL = re.compile(r"[^\s@\"'<>]{1,64}@[^\s@\"'<>]{1,255}")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What an answer meant, and the limits of the account that were in it."""

    value: T
    snapshots: tuple[RateLimitSnapshot, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[T]):
    """One address of a provider, and how its answers are read.

    `read(answer, now)` gives None for an answer that is none of this endpoint's; `subject` is what such an answer does
    not tell, for the error. `headers` go out beside the provider's own, and `customizer` has the last word on them.
    """

    provider: ModelProviderInfo
    url: str = field(repr=False)
    read: Callable[[ExchangeAnswer, float], Told[T] | None]
    subject: str
    headers: Mapping[str, str] = field(repr=False)
    customizer: RequestCustomizer | None = None

    async def ask(self, auth: AuthProvider, exchange: Exchange, *, clock: Clock) -> T:
        """What the endpoint says to the account that `auth` lends.

        A 401 is answered with one refreshed credential, if there can be one. Every attempt is reported to `auth`, with
        the snapshots. Raises what a turn's request raises, unwrapped: `TransportError`, `UnexpectedStatusError`, an
        error of `auth`; `UnexpectedContentError` where the answer is none of this endpoint's. Nothing is tried again.
        """
        try:
            return await self._ask(auth, exchange, clock, forced_refresh=False)
        except AuthenticationError:
            if not auth.can_refresh:
                raise
        return await self._ask(auth, exchange, clock, forced_refresh=True)

    async def _ask(self, auth: AuthProvider, exchange: Exchange, clock: Clock, *, forced_refresh: bool) -> T:
        lease = await auth.lease(conversation_id=None, forced_refresh=forced_refresh)
        outcome = AttemptOutcome()
        try:
            # Made in the call: a traceback with locals shows what is bound here.
            answer = await exchange.send("GET", self.url, headers=self._headers(lease))
            told = self.read(answer, clock.time())
            if told is None:
                raise self._error(answer, now=clock.time())
            outcome = AttemptOutcome(answer.status, None, told.snapshots)
        except CodexError as error:
            outcome = _failed(error)
            raise
        finally:
            await report_quietly(partial(auth.report, lease), outcome)
        return told.value

    def _headers(self, lease: Lease) -> dict[str, str]:
        """Who comes later wins, as in a turn."""
        variables = self.provider.env_http_headers.items()
        found = {name: value for name, variable in variables if (value := os.environ.get(variable, "").strip())}
        layers = (self.provider.backend.headers, self.provider.http_headers, found, self.headers)
        headers = {name: value for layer in layers for name, value in lower_names(layer).items()}
        if self.customizer is not None:
            self.customizer.customize(headers)
        return {**lower_names(headers), **lower_names(lease.headers)}

    def _error(self, answer: ExchangeAnswer, *, now: float) -> CodexError:
        # The answer may hold an address, and a broken one may be quoted.
        body = _EMAIL.sub("***", self._clean(answer, answer.body.decode("utf-8", "replace")))
        if answer.status == 200:
            return self._unexpected(answer, excerpt(body))
        headers = {name: self._clean(answer, value) for name, value in answer.headers.items()}
        return status_error(
            status=answer.status,
            body=body,
            headers=headers,
            url=self.url,
            now=now,
            rate_limits=HeaderRateLimits().parse(headers, now=now),
        )

    def _clean(self, answer: ExchangeAnswer, text: str) -> str:
        """A text of the answer's without the secrets of the request, those of its address among them."""
        return blank_secrets(answer.clean(text), secret_values({}, self.provider.query_params, Lease()))

    def _unexpected(self, answer: ExchangeAnswer, shown: str) -> UnexpectedContentError:
        content_type = answer.headers.get("content-type")
        return UnexpectedContentError(
            f"{safe_url(self.url)} answered with {len(answer.body)} bytes of {content_type or 'no type'} that tell no "
            f"{self.subject}; check the provider's base_url and any proxy in between. It begins: {shown!r}",
            content_type=content_type,
            excerpt=shown,
        )


def _failed(error: CodexError) -> AttemptOutcome:
    if isinstance(error, UnexpectedStatusError):
        return AttemptOutcome(error.status, error, error.rate_limits)
    return AttemptOutcome(error=error)
