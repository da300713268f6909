"""What `doctor` checks on this machine: the program, its settings, whom they name, and with which credential."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Self

from codex_client import settings
from codex_client.api import AuthProvider
from codex_client.auth.static import EnvAuth, StaticAuth
from codex_client.auth.tokens import TokenSet
from codex_client.cli.accounts_report import has_ended
from codex_client.cli.chosen import HOW_TO_LOG_IN
from codex_client.cli.exits import ExitStatus
from codex_client.cli.findings import Finding
from codex_client.cli.output import moment_and_countdown
from codex_client.cli.server import Server
from codex_client.cli.surroundings import Surroundings, used_accounts
from codex_client.connecting import BASE_URLS_OF_THEIR_OWN, connect, is_of_environment, resolve_provider
from codex_client.errors import CodexError
from codex_client.masking import mask_secrets, masked_email, safe_url
from codex_client.model_provider import ModelProviderInfo
from codex_client.settings import Variable
from codex_client.version import __version__

# The packages of each extra. Those that others bring along are not told.
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "accounts": ("filelock", "platformdirs"),
    "aiohttp": ("aiohttp",),
    "cli": ("rich", "typer"),
    "gateway": ("prometheus-client", "starlette", "uvicorn"),
    "http2": ("h2",),
    "httpx2": ("httpx2",),
    "keyring": ("keyring",),
    "otel": ("opentelemetry-api",),
    "redis": ("redis",),
    "zstd": ("backports.zstd",) if sys.version_info < (3, 14) else (),
}

_NEW_CONVERSATION = "doctor"
_ANOTHER_LOGIN = "log in again, or with another account"
_SECRET = re.compile(r"KEY|TOKEN")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Whom to ask for what, and why that one. Without a provider `problem` says what is wrong."""

    provider: ModelProviderInfo | None
    model: str | None
    told: str
    from_environment: bool
    problem: CodexError | None = None

    @classmethod
    def of(cls, around: Surroundings, server: Server) -> Self:
        from_environment = is_of_environment(server.provider, server.base_url)
        model = server.model or settings.MODEL.read()
        try:
            provider = resolve_provider(server.provider, base_url=server.base_url, wire_api=server.wire_api)
        except CodexError as error:
            return cls(provider=None, model=model, told="", from_environment=from_environment, problem=error)
        if provider.account_login and around.provider is not None:
            provider = replace(provider, base_url=around.provider.base_url)
        return cls(
            provider=provider, model=model, told=_server_words(server, provider), from_environment=from_environment
        )


def check_program() -> Finding:
    return Finding.ok("program", f"codex_client {__version__}, Python {platform.python_version()}, {sys.platform}")


def check_extras() -> Finding:
    """Which extras are there, with the versions of their packages."""
    versions = {extra: [_version(package) for package in packages] for extra, packages in EXTRAS.items()}
    there = [extra for extra, found in versions.items() if all(found)]
    missing = [extra for extra in versions if extra not in there]
    lines = [f"{extra}: {_listed(EXTRAS[extra], versions[extra])}" for extra in there]
    if not missing:
        return Finding.ok("extras", "\n".join(lines))
    wanted = f"pip install 'codex-client[{missing[0]}]'" + (" and the like" if len(missing) > 1 else "")
    return Finding.ok("extras", "\n".join([*lines, f"not installed: {', '.join(missing)}"]), f"{wanted} if you need it")


def check_settings() -> Finding:
    """The variables that are set; of secrets only that they are."""
    lines = [f"{each.name}{_value(each)}" for each in settings.VARIABLES if each.is_set()]
    return Finding.ok("settings", "\n".join(lines) or "no variable is set")


def check_server(chosen: Chosen) -> Finding:
    """Whom `connect` would ask. What it refuses is told in its own words."""
    if chosen.problem is not None:
        return Finding.of_error("server", chosen.problem)
    if chosen.model is None:
        return Finding.note("server", chosen.told, f"name a model by --model, or set {settings.MODEL.name}")
    return Finding.ok("server", chosen.told)


async def check_credential(
    around: Surroundings, provider: ModelProviderInfo, opened: AsyncExitStack, *, from_environment: bool
) -> tuple[Finding, AuthProvider | None]:
    """Which credential goes to the server, and the source of it, None where there is none. `opened` closes that."""
    name = "credential"
    key = settings.API_KEY.read() if from_environment else None
    try:
        # Nothing is sent or opened by it: what it refuses no turn could begin with.
        async with connect(provider=provider, auth=key):
            pass
        if key is not None:
            auth = StaticAuth(key, header=provider.api_key_header)
            return Finding.ok(name, f"{settings.API_KEY.name}, {_carried(provider)}"), auth
        if provider.account_login:
            return await _check_accounts(around, opened)
    except CodexError as error:
        return Finding.of_error(name, error), None
    if provider.env_key is None:
        return Finding.ok(name, f"none: provider {provider.name!r} asks for none"), EnvAuth(provider)
    return Finding.ok(name, f"{provider.env_key}, {_carried(provider)}"), EnvAuth(provider)


async def _check_accounts(around: Surroundings, opened: AsyncExitStack) -> tuple[Finding, AuthProvider | None]:
    accounts = await opened.enter_async_context(used_accounts(around))
    where = "in the environment" if settings.ACCESS_TOKEN.is_set() else "logged in"
    stored = await accounts.store.load()
    if not stored:
        return Finding.failed("credential", f"no account is {where}", HOW_TO_LOG_IN, ExitStatus.LOGIN_REQUIRED), None
    # The pool learns that a login has ended when it lends it.
    ended = [key for key, tokens in stored.items() if has_ended(tokens, around.clock.time())]
    over = "\n".join(f"{key} cannot serve: its token has ended, and nothing here renews it" for key in ended)
    if len(ended) == len(stored):
        told = _named(f"{len(stored)} {where}\n{over}", stored)
        return Finding.failed("credential", told, _ANOTHER_LOGIN, ExitStatus.NO_ACCOUNT), None
    pool = await opened.enter_async_context(accounts.pool([key for key in stored if key not in ended]))
    # One that never was: another turn's would be said to stay where it is.
    explanation = await pool.explain(_NEW_CONVERSATION)
    told = _named(f"{len(stored)} {where}\n{explanation}\n{over}".strip(), stored)
    if explanation.chosen is not None:
        return Finding.ok("credential", told), pool
    soonest, now = explanation.next_available_at, around.clock.time()
    if soonest is None:
        advice = _ANOTHER_LOGIN
    else:
        when = moment_and_countdown(soonest, now=now, timezone=around.timezone)
        advice = f"the next one is free at {when}; log in with another account, or wait"
    return Finding.failed("credential", told, advice, ExitStatus.NO_ACCOUNT), None


def _named(text: str, stored: Mapping[str, TokenSet]) -> str:
    """With whose each key is, as far as whoever is shown it may know."""
    for key, tokens in stored.items():
        if tokens.email:
            text = text.replace(key, f"{key} ({masked_email(tokens.email)})")
    return text


def _server_words(server: Server, provider: ModelProviderInfo) -> str:
    from_environment = is_of_environment(server.provider, server.base_url)
    own = BASE_URLS_OF_THEIR_OWN.get(provider.name) if server.base_url is None else None
    wire_api = settings.WIRE_API if from_environment else None
    told = {
        f"provider {provider.name}": _source(server.provider, settings.PROVIDER if from_environment else None),
        f"address {safe_url(provider.base_url)}": _source(
            server.base_url, settings.BASE_URL if from_environment else None, own
        ),
        f"API {provider.wire_api.value}": _source(server.wire_api, wire_api),
        f"profile {provider.backend.name}": "by the provider's name and address",
    }
    model = server.model or settings.MODEL.read()
    if model:
        told[f"model {model}"] = _source(server.model, settings.MODEL)
    return "\n".join([*(f"{what} ({why})" for what, why in told.items()), *([] if model else ["no model"])])


def _source(argument: object, *variables: Variable | None) -> str:
    if argument is not None:
        return "by its option"
    named = (each.name for each in variables if each is not None and each.read() is not None)
    return next((f"by {name}" for name in named), "by default")


def _carried(provider: ModelProviderInfo) -> str:
    return f"as the header {provider.api_key_header}" if provider.api_key_header else "as a bearer token"


def _value(variable: Variable) -> str:
    """What is set, without anything secret."""
    value = os.environ.get(variable.name, "").strip()
    if variable.numbered or _SECRET.search(variable.name):
        return " is set"
    return f" = {safe_url(value) if '://' in value else mask_secrets(value)}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _listed(packages: tuple[str, ...], versions: list[str | None]) -> str:
    named = (f"{package} {version}" for package, version in zip(packages, versions, strict=True))
    return ", ".join(named) or "part of Python"
