"""The usage endpoint: an account's limits, asked for without a turn."""

from __future__ import annotations

from collections.abc import Mapping

from codex_client.api import AuthProvider, Clock, RequestCustomizer
from codex_client.client.exchange import Exchange, ExchangeAnswer
from codex_client.clients.endpoint import Endpoint, Told
from codex_client.decode.usage import UsageReport, parse_usage
from codex_client.decode.wire import as_object, parse_json
from codex_client.errors import MalformedFrameError
from codex_client.model_provider import ModelProviderInfo

_BACKEND = "/backend-api"
_CODEX_API = "/api/codex"
# An answer with none of these is somebody else's.
_TELLING = frozenset({"plan_type", "rate_limit", "additional_rate_limits", "credits"})


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
    customizer: RequestCustomizer | None = None,
) -> UsageReport:
    """What the usage endpoint says of the account that `auth` lends. `headers` go out beside the provider's own, and
    `customizer` has the last word on them.

    Raises what `Endpoint.ask` raises. Nothing is tried again: usage can be asked for at any time.
    """
    endpoint = Endpoint(provider, usage_url(provider.base_url), _read, "usage", headers or {}, customizer)
    return await endpoint.ask(auth, exchange, clock=clock)


def _read(answer: ExchangeAnswer, now: float) -> Told[UsageReport] | None:
    if answer.status != 200:
        return None
    try:
        # What it tells is kept and shown, so a credential that it echoes must go first.
        told = as_object(parse_json(answer.clean(answer.body.decode("utf-8", "replace"))))
    except MalformedFrameError:
        return None
    if not told.keys() & _TELLING:
        return None
    report = parse_usage(told, now=now)
    return Told(report, report.snapshots)
