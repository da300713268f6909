"""Whom the command line asks, and how: the options that all commands with a server share, and what they make."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import typer

from codex_client import settings
from codex_client.api import HttpClient
from codex_client.cli.advice import in_command_words
from codex_client.cli.completion import provider_names
from codex_client.cli.output import warn
from codex_client.cli.surroundings import Surroundings
from codex_client.client.config import GuardPolicy, RetryPolicy
from codex_client.connecting import ConnectOptions, connect, is_of_environment, resolve_provider
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.routed_client import RoutedApiClient

WireApiOption: TypeAlias = Annotated[
    WireApi | None,
    typer.Option("--wire-api", metavar="API", help="The API that the server speaks: responses or chat."),
]


@dataclass(frozen=True, kw_only=True)
class Address:
    """Which provider, as it was typed; what is None is told by the environment."""

    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            metavar="NAME",
            help=f"Whom to ask; else {settings.PROVIDER.name}.",
            autocompletion=provider_names,
        ),
    ] = None
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="The server's address, up to the API's own path.")
    ] = None
    wire_api: WireApiOption = None

    @property
    def is_of_environment(self) -> bool:
        """Whether the environment's variables describe it."""
        return is_of_environment(self.provider, self.base_url)

    def resolve(self) -> ModelProviderInfo:
        """The provider. Raises `ConfigurationError`."""
        return resolve_provider(self.provider, base_url=self.base_url, wire_api=self.wire_api)


@dataclass(frozen=True, kw_only=True)
class Server(Address):
    """Whom to ask for which model; without one each prompt has to name its own."""

    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help=f"The model; else {settings.MODEL.name}.")
    ] = None

    def connect(
        self, around: Surroundings, *, policy: Policy | None = None, http_client: HttpClient | None = None
    ) -> RoutedApiClient:
        """A client, for who closes it."""
        options = (policy or Policy()).options(around)
        options["http_client"] = http_client
        return connect(self.model, provider=self.provider, base_url=self.base_url, wire_api=self.wire_api, **options)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is done where a turn does not go well."""

    retries: Annotated[
        int | None,
        typer.Option(
            "--retries",
            min=0,
            metavar="N",
            help="How often a request that fails, and a stream that breaks before its output, is tried again.",
        ),
    ] = None
    no_guards: Annotated[
        bool, typer.Option("--no-guards", help="Show garbled and empty answers as they are; else they are asked anew.")
    ] = False
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail for what the provider does not take; else it is left out.")
    ] = False

    def options(self, around: Surroundings) -> ConnectOptions:
        """The same for `connect`, with the surroundings' clock."""
        options = ConnectOptions(strict_parameters=self.strict, clock=around.clock)
        if self.retries is not None:
            options["retry"] = RetryPolicy(request_max_retries=self.retries, stream_max_retries=self.retries)
        if self.no_guards:
            options["guards"] = GuardPolicy(garbled=False, empty=False)
        return options


@contextmanager
def told_warnings(around: Surroundings) -> Generator[None]:
    """The library's warnings as lines for people, without the place in the program that they came from."""

    def tell(message: Warning | str, *_: Any, **__: Any) -> None:
        warn(around.err, in_command_words(str(message)))

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = tell
        yield
