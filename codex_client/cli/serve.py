"""`codex-client serve`: the gateway."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import typer

from codex_client import settings
from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.cli.exits import ExitStatus, run
from codex_client.cli.option_groups import grouped
from codex_client.cli.output import say, warn
from codex_client.cli.server import Policy, Server, told_warnings
from codex_client.cli.surroundings import Surroundings, note_environment
from codex_client.credentials.background import Background
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import ConfigurationError

# Seconds between two looks at the accounts' usage: what else uses them is seen on the status page.
_REFRESH_EVERY = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Options:
    """How it is served."""

    server: Server
    policy: Policy
    host: str
    port: int
    keys: tuple[str, ...] = field(repr=False)
    reasoning_format: ReasoningFormat
    max_turns: int
    max_body_bytes: int
    drain_seconds: float
    heartbeat_seconds: float
    quiet: bool


@grouped
def serve(
    context: typer.Context,
    server: Server,
    policy: Policy,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen on; others than this machine's need a key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port; 0 lets the system choose.")
    ] = 8787,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help=f"A key that callers must show. Others on this machine can see it here: {settings.GATEWAY_KEY.name} "
            "is for that.",
        ),
    ] = None,
    reasoning_format: Annotated[
        ReasoningFormat,
        typer.Option(
            metavar="FORMAT",
            help=f"How Chat callers get the model's reasoning: {', '.join(each.value for each in ReasoningFormat)}.",
        ),
    ] = ReasoningFormat.REASONING_CONTENT,
    max_turns: Annotated[int, typer.Option(min=1, metavar="N", help="Turns that may run at once.")] = 256,
    max_body_bytes: Annotated[
        int, typer.Option(min=1, metavar="N", help="The size of a request at which it is refused.")
    ] = 32 * 1024 * 1024,
    drain_seconds: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long running turns may go on at the end.")
    ] = 30.0,
    heartbeat_seconds: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="The silence after which a stream gets a comment.")
    ] = 15.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line for each request.")] = False,
) -> None:
    """Serve OpenAI's API on this machine, over a provider or your ChatGPT accounts.

    Point any OpenAI client to the address that is shown. Ctrl-C lets running turns finish, a second one ends them.
    """
    options = _Options(
        server=server,
        policy=policy,
        host=host,
        port=port,
        keys=tuple(keys or ()),
        reasoning_format=reasoning_format,
        max_turns=max_turns,
        max_body_bytes=max_body_bytes,
        drain_seconds=drain_seconds,
        heartbeat_seconds=heartbeat_seconds,
        quiet=quiet,
    )
    run(context, partial(_serve, options=options))


async def _serve(around: Surroundings, *, options: _Options) -> ExitStatus:
    # Needs an extra of its own.
    from codex_client import gateway
    from codex_client.gateway.config import check_keys
    from codex_client.gateway.connections import raise_file_limit

    keys, setting = (options.keys, "--key") if options.keys else (_keys_of_environment(), settings.GATEWAY_KEY.name)
    check_keys(keys, setting)
    config = gateway.GatewayConfig(
        keys=keys,
        reasoning_format=options.reasoning_format,
        max_turns=options.max_turns,
        max_body_bytes=options.max_body_bytes,
        drain_seconds=options.drain_seconds,
        heartbeat_seconds=options.heartbeat_seconds,
    )
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(options.server.connect(around, policy=options.policy))
        if isinstance(pool := client.config.auth, CredentialPool):
            await _note_accounts(around, pool)
            # That is what a program which runs for days needs.
            await opened.enter_async_context(Background(partial(pool.watch, _REFRESH_EVERY)))
        if told := raise_file_limit(options.max_turns):
            warn(around.err, told)
        app = gateway.create_app(client, config=config, clock=around.clock)
        ready = partial(_say_ready, around, client.config.provider.name, needs_key=bool(keys))
        with told_warnings(around), _logging_to(around, logging.WARNING if options.quiet else logging.INFO):
            whole = await gateway.serve(app, host=options.host, port=options.port, on_ready=ready)
    return ExitStatus.OK if whole else ExitStatus.INTERRUPTED


def _keys_of_environment() -> tuple[str, ...]:
    """Its one key, or none. Raises `ConfigurationError`."""
    name = settings.GATEWAY_KEY.name
    if settings.GATEWAY_KEY.is_blank():
        # As `$(cat gateway.key)` without that file leaves it: nobody meant to let everybody in.
        raise ConfigurationError(f"{name} is set and holds no key; put one into it, or unset it to serve without")
    known = settings.GATEWAY_KEY.read()
    return () if known is None else (known,)


async def _note_accounts(around: Surroundings, pool: CredentialPool) -> None:
    note_environment(around)
    if not await pool.accounts():
        warn(around.err, "nobody is logged in, so turns will fail; run `codex-client login`, which is noticed at once")


def _say_ready(around: Surroundings, provider: str, url: str, *, needs_key: bool) -> None:
    callers = "callers need a key" if needs_key else "callers on this machine need no key"
    say(around.err, f"serving {provider} at {url}/v1, status page {url}/; {callers}")


@contextmanager
def _logging_to(around: Surroundings, level: int) -> Generator[None]:
    """One line for each request, and whatever else is worth one: what the server and the loop complain of would come
    without a time and a level.
    """
    handler = logging.StreamHandler(around.err.file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in ("codex_client", "uvicorn.error", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger, least in zip(loggers, (level, logging.WARNING, logging.WARNING), strict=True):
        logger.addHandler(handler)
        logger.setLevel(least)
    try:
        yield
    finally:
        for logger, least in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(least)
