"""The models endpoint: which models a server has, asked for without a turn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from codex_client.api import AuthProvider, Clock, RequestCustomizer
from codex_client.client.exchange import Exchange, ExchangeAnswer
from codex_client.clients.endpoint import Endpoint, Told
from codex_client.decode.wire import as_object
from codex_client.model_provider import ModelProviderInfo
from codex_client.models import ModelCatalogue, is_model_list, parse_models


def models_url(provider: ModelProviderInfo) -> str:
    """Where this provider lists its models; with the query of its requests, and what its backend wants beside that."""
    backend = provider.backend
    query = urlencode({**backend.models_query, **provider.query_params}, quote_via=quote)
    return f"{provider.base_url.rstrip('/')}{backend.models_path}{f'?{query}' if query else ''}"


async def fetch_models(
    provider: ModelProviderInfo,
    auth: AuthProvider,
    exchange: Exchange,
    *,
    clock: Clock,
    known: ModelCatalogue | None = None,
    headers: Mapping[str, str] | None = None,
    customizer: RequestCustomizer | None = None,
) -> ModelCatalogue:
    """The models that the server lists for the account that `auth` lends, and nothing but what it says of them.

    `known`: a list that this server told before. It comes back with its new age where the server says that it still
    holds, and lends its aliases to a new one. `headers` go out beside the provider's own, and `customizer` has
    the last word on them. Raises what `Endpoint.ask` raises.
    """
    etag = known.etag if known is not None else None
    sent = {**(headers or {}), **({"if-none-match": etag} if etag else {})}
    endpoint = Endpoint(
        provider, models_url(provider), partial(_read, known if etag else None), "models", sent, customizer
    )
    fetched = await endpoint.ask(auth, exchange, clock=clock)
    return fetched if known is None else replace(fetched, aliases=known.aliases)


def _read(known: ModelCatalogue | None, answer: ExchangeAnswer, now: float) -> Told[ModelCatalogue] | None:
    if answer.status == 304 and known is not None:
        return Told(replace(known, fetched_at=now))
    if answer.status != 200:
        return None
    try:
        # What it tells is kept and shown, so a credential that it echoes must go first.
        told = json.loads(answer.clean(answer.body.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return None
    if not is_model_list(told):
        return None
    return Told(ModelCatalogue(models=parse_models(told), etag=_etag(answer, told), fetched_at=now))


def _etag(answer: ExchangeAnswer, told: Any) -> str | None:
    """The header's, else the list's own. It goes back in a header, so what none can carry is dropped."""
    own = as_object(told).get("etag")
    etag = answer.clean(answer.headers.get("etag", "")) or (own if isinstance(own, str) else "")
    return etag if etag.isascii() and etag.isprintable() and etag else None
