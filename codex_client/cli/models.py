"""`codex-client models`: which models a provider has, and what they take."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

import typer

from codex_client import settings
from codex_client.cli.advice import in_command_words
from codex_client.cli.catalogue_file import CatalogueFile
from codex_client.cli.chosen import require_any
from codex_client.cli.exits import run
from codex_client.cli.models_table import ListedModels, aliases_table, models_table
from codex_client.cli.option_groups import grouped
from codex_client.cli.output import emit_json, say, show, warn
from codex_client.cli.server import Address
from codex_client.cli.surroundings import Surroundings, used_accounts
from codex_client.connecting import connect, require_private
from codex_client.errors import CodexError, ConfigurationError, TokenStoreError
from codex_client.model_provider import ModelProviderInfo
from codex_client.models import BUILT_IN_MODELS, MODEL_ALIASES, ModelCatalogue
from codex_client.routed_client import RoutedApiClient


@grouped
def models(
    context: typer.Context,
    address: Address,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the provider, however new the list that is kept here.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody: show what is known here.")] = False,
    aliases: Annotated[
        bool, typer.Option("--aliases", help="Show the other names that models can be asked for by.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with hidden models and aliases too.")] = False,
) -> None:
    """Show which models a provider has, and which efforts and verbosities they take.

    A list is kept for five minutes. Where the provider cannot be asked, an older one is shown, or the one that comes
    with codex-client. A model and an effort go into one name, as in `gpt-5.2:high`.
    """
    if refresh and offline:
        raise typer.BadParameter("--refresh asks the provider and --offline asks nobody; give one of them")
    if aliases:
        run(context, partial(_show_aliases, address=address, as_json=as_json))
    run(context, partial(_show_models, address=address, refresh=refresh, offline=offline, as_json=as_json))


async def _show_aliases(around: Surroundings, *, address: Address, as_json: bool) -> None:
    info = address.resolve()
    aliases = _aliases(info)
    if as_json:
        emit_json(around.out, {"aliases": aliases})
    elif aliases:
        show(around.out, aliases_table(aliases))
    else:
        say(around.err, f"no other names are known of the models of {info.name!r}")


async def _show_models(around: Surroundings, *, address: Address, refresh: bool, offline: bool, as_json: bool) -> None:
    info = _asked(around, address)
    listed = await _listed(around, info, address, refresh=refresh, offline=offline)
    if as_json:
        emit_json(around.out, listed.to_json(_aliases(info)))
    else:
        show(around.out, models_table(listed, now=around.clock.time()))


async def _listed(
    around: Surroundings, info: ModelProviderInfo, address: Address, *, refresh: bool, offline: bool
) -> ListedModels:
    file, url = CatalogueFile(clock=around.clock), _address(info)
    kept = file.load(url)
    if offline or (kept is not None and file.is_fresh(kept) and not refresh):
        return _known(info, kept)
    try:
        fetched = await _fetched(around, info, address, kept)
    except CodexError as error:
        if refresh or (kept is None and not info.backend.uses_catalogue):
            raise
        warn(around.err, f"{info.name} could not be asked for its models: {in_command_words(error.message)}")
        return _known(info, kept)
    try:
        await file.save(url, fetched)
    except TokenStoreError as error:
        warn(around.err, f"the list is not kept: {error.message}")
    return replace(_known(info, fetched), source="server")


async def _fetched(
    around: Surroundings, info: ModelProviderInfo, address: Address, kept: ModelCatalogue | None
) -> ModelCatalogue:
    with around.err.status("asking for the list of models"):
        async with _client(around, info, address) as client:
            return await client.models(kept)


@asynccontextmanager
async def _client(around: Surroundings, info: ModelProviderInfo, address: Address) -> AsyncGenerator[RoutedApiClient]:
    if not _needs_login(address):
        async with connect(
            provider=address.provider, base_url=address.base_url, wire_api=address.wire_api, clock=around.clock
        ) as client:
            yield client
        return
    require_private(info)
    async with used_accounts(around) as accounts:
        require_any(await accounts.store.load())
        async with (
            accounts.pool() as pool,
            connect(provider=info, auth=pool, clock=around.clock) as client,
        ):
            yield client


def _asked(around: Surroundings, address: Address) -> ModelProviderInfo:
    by_login = address.base_url is None and _needs_login(address)
    return around.usage_provider() if by_login else address.resolve()


def _needs_login(address: Address) -> bool:
    """Whether the accounts are asked with, and no key of the environment that is for this provider."""
    return address.resolve().account_login and not (address.is_of_environment and settings.API_KEY.read())


def _aliases(info: ModelProviderInfo) -> dict[str, str]:
    """Names are those of a catalogue; others' models have none."""
    return dict(MODEL_ALIASES) if info.backend.uses_catalogue else {}


def _known(info: ModelProviderInfo, kept: ModelCatalogue | None) -> ListedModels:
    """The list that was kept, with what is known of its models beside, else the built-in one."""
    if kept is None:
        if not info.backend.uses_catalogue:
            raise ConfigurationError(
                f"no list of the models of {info.name!r} is kept here, and none comes with codex-client; ask for it "
                "without --offline"
            )
        return ListedModels(info.name, "built-in", BUILT_IN_MODELS.models)
    models = BUILT_IN_MODELS.merged(kept).models[: len(kept.models)]
    return ListedModels(info.name, "cache", models, kept.fetched_at, kept.etag)


def _address(info: ModelProviderInfo) -> str:
    """What the list is kept by. Without the provider's own query, in which there may be a key."""
    query = urlencode(info.backend.models_query)
    return f"{info.base_url.rstrip('/')}{info.backend.models_path}{f'?{query}' if query else ''}"
