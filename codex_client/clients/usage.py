"""The usage endpoint: an account's limits, asked for without a turn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from codex_client.api import AttemptOutcome, AuthProvider, Clock, Lease
from codex_client.classify import status_error
from codex_client.client.answer import report_quietly
from codex_client.client.exchange import Exchange, ExchangeAnswer
from codex_client.client.rate_limits import HeaderRateLimits
from codex_client.decode.usage import UsageReport, parse_usage
from codex_client.decode.wire import as_object, parse_json
from codex_client.errors import (
    AuthenticationError,
    CodexError,
    MalformedFrameError,
    UnexpectedContentError,
    UnexpectedStatusError,
)
from codex_client.masking import excerpt, safe_url
from codex_client.model_provider import ModelProviderInfo
from codex_client.retry_advice import lower_names

_BACKEND = "/backend-api"
_CODEX_API = "/api/codex"
# An answer with none of these is somebody else's.
_TELLING = frozenset({"plan_type", "rate_limit", "additional_rate_limits", "credits"})
_EMAIL = re.compile(r"[^\s@\"'<>]{1,64}@[^\s@\"'<>]{1,255}")


def usage_url(base_url: str) -> str:
    """Where a server with this base URL tells the usage: the ChatGPT backend beside its `/codex`, others under it."""
    root, found, _ = base_url.partition(_BACKEND)
    if found:
        return f"{root}{_BACKEND}/wham/usage"
    return f"{base_url.rstrip('/').removesuffix(_CODEX_API)}{_CODEX_API}/usage"


async def fetch_usage(
    provider: ModelProviderInfo,
    auth: AuthProvider,
    exchange: Exchange,
    *,
    clock: Clock,
    headers: Mapping[str, str] | None = None,
) -> UsageReport:
    """What the usage endpoint says of the account that `auth` lends. `headers` go out beside the provider's own.

    A 401 is answered with one refreshed credential, if there can be one. Every attempt is reported to `auth`, with the
    snapshots. Raises what a turn's request raises, unwrapped: `TransportError`, `UnexpectedStatusError`, an error of
    `auth`; `UnexpectedContentError` where the answer is none of the usage endpoint's. Nothing is tried again: usage can
    be asked for at any time.
    """
    ask = partial(_ask, provider, auth, exchange, clock, headers or {})
    try:
        return await ask(forced_refresh=False)
    except AuthenticationError:
        if not auth.can_refresh:
            raise
    return await ask(forced_refresh=True)


async def _ask(
    provider: ModelProviderInfo,
    auth: AuthProvider,
    exchange: Exchange,
    clock: Clock,
    extra_headers: Mapping[str, str],
    *,
    forced_refresh: bool,
) -> UsageReport:
    lease = await auth.lease(conversation_id=None, forced_refresh=forced_refresh)
    url, outcome = usage_url(provider.base_url), AttemptOutcome()
    try:
        # Made in the call: a traceback with locals shows what is bound here.
        answer = await exchange.send("GET", url, headers=_headers(provider, extra_headers, lease))
        report = _report_of(answer, now=clock.time()) if answer.status == 200 else None
        if report is None:
            raise _error(answer, url, now=clock.time())
        outcome = AttemptOutcome(answer.status, None, report.snapshots)
    except CodexError as error:
        outcome = _failed(error)
        raise
    finally:
        await report_quietly(partial(auth.report, lease), outcome)
    return report


def _headers(provider: ModelProviderInfo, extra: Mapping[str, str], lease: Lease) -> dict[str, str]:
    return lower_names(provider.http_headers) | lower_names(extra) | lower_names(lease.headers)


def _report_of(answer: ExchangeAnswer, *, now: float) -> UsageReport | None:
    try:
        # What it tells is kept and shown, so a credential that it echoes must go first.
        told = as_object(parse_json(answer.clean(answer.body.decode("utf-8", "replace"))))
    except MalformedFrameError:
        return None
    return parse_usage(told, now=now) if told.keys() & _TELLING else None


def _error(answer: ExchangeAnswer, url: str, *, now: float) -> CodexError:
    # The answer holds an address, and a broken one may be quoted.
    body = _EMAIL.sub("***", answer.clean(answer.body.decode("utf-8", "replace")))
    if answer.status == 200:
        return _unexpected(answer, url, excerpt(body))
    headers = {name: answer.clean(value) for name, value in answer.headers.items()}
    return status_error(
        status=answer.status,
        body=body,
        headers=headers,
        url=url,
        now=now,
        rate_limits=HeaderRateLimits().parse(headers, now=now),
    )


def _unexpected(answer: ExchangeAnswer, url: str, shown: str) -> UnexpectedContentError:
    content_type = answer.headers.get("content-type")
    return UnexpectedContentError(
        f"{safe_url(url)} answered with {len(answer.body)} bytes of {content_type or 'no type'} that tell no usage; "
        f"check the provider's base_url and any proxy in between. It begins: {shown!r}",
        content_type=content_type,
        excerpt=shown,
    )


def _failed(error: CodexError) -> AttemptOutcome:
    if isinstance(error, UnexpectedStatusError):
        return AttemptOutcome(error.status, error, error.rate_limits)
    return AttemptOutcome(error=error)
