"""`codex-client serve`: the gateway."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import typer

from codex_client import settings
from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.cli.asking import BaseUrlOption, ModelOption, ProviderOption, Server, WireApiOption, told_warnings
from codex_client.cli.exits import run
from codex_client.cli.output import say
from codex_client.cli.surroundings import Surroundings, note_environment, used_accounts
from codex_client.connecting import connect
from codex_client.credentials.pool import CredentialPool
from codex_client.models import BUILT_IN_MODELS
from codex_client.routed_client import RoutedApiClient

# Seconds between two looks at the accounts' usage: what else uses them is seen on the status page.
_REFRESH_EVERY = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Options:
    """How it is served."""

    server: Server
    host: str
    port: int
    keys: tuple[str, ...] = field(repr=False)
    reasoning: ReasoningFormat
    max_streams: int
    quiet: bool


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on; others than this machine's need a key.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 lets the system choose.")] = 8787,
    provider: ProviderOption = None,
    base_url: BaseUrlOption = None,
    wire_api: WireApiOption = None,
    model: ModelOption = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            help=f"A key that callers must show. Others on this machine can see it here: {settings.GATEWAY_KEY.name} "
            "is for that.",
        ),
    ] = None,
    reasoning: Annotated[
        ReasoningFormat, typer.Option(help="How Chat callers get the model's reasoning.")
    ] = ReasoningFormat.REASONING_CONTENT,
    max_streams: Annotated[int, typer.Option(min=1, help="Turns that may run at once.")] = 256,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line for each request.")] = False,
) -> None:
    """Serve OpenAI's API on this machine, over a provider or your ChatGPT accounts.

    Point any OpenAI client to the address that is shown. Ctrl-C lets running turns finish, a second one ends them.
    """
    known = settings.GATEWAY_KEY.read()
    options = _Options(
        # Most requests name a model; a client has one all the same.
        server=Server(
            model=model or settings.MODEL.read() or BUILT_IN_MODELS.slugs[0],
            provider=provider,
            base_url=base_url,
            wire_api=wire_api,
        ),
        host=host,
        port=port,
        keys=tuple(keys or ([known] if known else [])),
        reasoning=reasoning,
        max_streams=max_streams,
        quiet=quiet,
    )
    run(context, partial(_serve, options=options))


async def _serve(around: Surroundings, *, options: _Options) -> None:
    # Needs an extra of its own.
    from codex_client import gateway

    config = gateway.GatewayConfig(keys=options.keys, reasoning=options.reasoning, max_streams=options.max_streams)
    async with _connected(around, options.server) as (client, pool):
        app = gateway.create_app(client, config=config, pool=pool, clock=around.clock)
        ready = partial(_say_ready, around, client.config.provider.name)
        with told_warnings(around), _logging_to(around, logging.WARNING if options.quiet else logging.INFO):
            await gateway.serve(app, host=options.host, port=options.port, on_ready=ready)


@asynccontextmanager
async def _connected(
    around: Surroundings, server: Server
) -> AsyncGenerator[tuple[RoutedApiClient, CredentialPool | None]]:
    """The client, and where the provider is asked with the accounts of this machine, those."""
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(server.connect(around))
        pool = None
        if isinstance(client.config.auth, CredentialPool):
            # The same accounts, watched: that is what a program which runs for days needs.
            provider = client.config.provider
            accounts = await opened.enter_async_context(used_accounts(around))
            pool = await opened.enter_async_context(
                CredentialPool(
                    accounts.store,
                    state=accounts.state,
                    provider=provider,
                    refresh_every=_REFRESH_EVERY,
                    clock=around.clock,
                )
            )
            client = await opened.enter_async_context(
                connect(client.config.model, provider=provider, auth=pool, clock=around.clock)
            )
            note_environment(around)
        yield client, pool


def _say_ready(around: Surroundings, provider: str, url: str) -> None:
    say(around.err, f"serving {provider} at {url}/v1, status page {url}/")


@contextmanager
def _logging_to(around: Surroundings, level: int) -> Generator[None]:
    """One line for each request, and whatever else is worth one."""
    handler = logging.StreamHandler(around.err.file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("codex_client")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
