"""Plays a scenario's turns: a client over a socket, a server that answers as told, a clock that waits for nobody."""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import anyio
import anyio.lowlevel
import httpx
from anyio.abc import TaskGroup

from codex_client.aggregate import CollectedResponse
from codex_client.api import Retry
from codex_client.auth.oauth import OAuthClient
from codex_client.auth.store import MemoryTokenStore
from codex_client.bridge.requests import BridgedRequest, parse_chat_request, parse_responses_request
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import CodexError, DroppedParameterWarning
from codex_client.events import OutputTextDelta, ResponseEvent, StreamRestarted
from codex_client.items import parse_item
from codex_client.model_provider import WireApi
from codex_client.models import BUILT_IN_MODELS
from codex_client.payload.calls import without_orphans
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import AccountServer, ManualClock, RecordedRequest, ScriptedTransport
from codex_client.testing.waits import Changes
from tests.support.scenario_clients import MessageCarrier, Watch, config_of, new_account, prompt_of, provider_of
from tests.support.scenario_replies import Rest, Shown, reply_of
from tests.support.scenarios import Case, Json

KEY = "scenario-key-canary"
# Nothing waits for this clock, so a turn that is not over by then never will be.
_REAL_SECONDS = 20


@dataclass
class Played:
    """What a turn came to."""

    events: list[ResponseEvent] = field(default_factory=list)
    response: CollectedResponse | None = None
    error: CodexError | None = None
    requests: list[RecordedRequest] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    records: list[logging.LogRecord] = field(default_factory=list)
    request: BridgedRequest | None = None
    text: str = ""
    changes: Changes = field(default_factory=Changes)

    def hear(self, event: ResponseEvent) -> None:
        self.events.append(event)
        if isinstance(event, StreamRestarted):
            self.text = ""
        elif isinstance(event, OutputTextDelta):
            self.text += event.delta
        self.changes.notify()

    async def has_heard(self, text: str) -> None:
        """Wait until the caller has just this text."""
        await self.changes.expect(lambda: self.text == text, 5, lambda: f"{self.text!r} is not {text!r}")

    @property
    def kinds(self) -> list[str]:
        """The types of the events, runs of one type as one."""
        return [kind for kind, _ in groupby(event.type for event in self.events)]


class World:
    """A client and what it talks to."""

    def __init__(self, server: AccountServer, clock: ManualClock, client: RoutedApiClient, watch: Watch) -> None:
        self.server = server
        self.clock = clock
        self.client = client
        self.watch = watch
        self.carrier: MessageCarrier | None = None
        self.chat: bool = client.config.provider.wire_api is WireApi.CHAT
        self._prompt: Prompt | None = None
        self._response: CollectedResponse | None = None

    async def play(self, ask: Json, replies: Sequence[Json | str]) -> Played:
        """One turn. Replies that the server makes itself come after those that are told to it."""
        played, rests = Played(), self._script(replies)
        requests = self.carrier.requests if self.carrier else self.server.requests
        sent, retried = len(requests), len(self.watch.retries)
        with _listening(played), anyio.fail_after(_REAL_SECONDS):
            async with _together() as tasks:
                tasks.start_soon(self._drive, rests, played)
                try:
                    await self._ask(ask, played)
                except CodexError as error:
                    played.error = error
                tasks.cancel_scope.cancel()
                assert not rests, f"the turn is over, and these rests of its replies were not reached: {list(rests)}"
        played.requests = [each for each in requests[sent:] if each.path != "/oauth/token"]
        played.retries = self.watch.retries[retried:]
        if self.carrier:
            self.carrier.assert_complete()
        self.server.assert_complete()
        return played

    def _script(self, replies: Sequence[Json | str]) -> deque[tuple[int, Rest]]:
        told = [reply_of(reply, chat=self.chat) for reply in replies if not isinstance(reply, str)]
        own = [reply == "backend" for reply in replies]
        assert own == sorted(own), "what the server says by itself must come last"
        if self.carrier:
            self.carrier.expect([reply for reply, _ in told])
        else:
            for reply, _ in told:
                self.server.fail("/chat/completions" if self.chat else "/responses", reply)
        return deque((number, rest) for number, (_, rests) in enumerate(told) for rest in rests)

    async def _ask(self, ask: Json, played: Played) -> None:
        prompt = self._prompt = self._asked(ask, played)
        async with self.client.stream(prompt) as stream:
            try:
                async for event in stream:
                    played.hear(event)
                played.response = self._response = await stream.collect()
            except CodexError as error:
                assert error.partial is None or error.partial.items == stream.response.items
                raise

    def _asked(self, ask: Json, played: Played) -> Prompt:
        (form, fields), *changes = ask.items()
        provider = self.client.config.provider
        server: Any = {"upstream": provider.wire_api, "backend": provider.backend}
        match form:
            case "prompt":
                return prompt_of(fields)
            case "mended":
                prompt = prompt_of(fields)
                return replace(prompt, input=without_orphans(prompt.items))
            case "chat":
                played.request = parse_chat_request(fields, **server)
                return played.request.prompt
            case "responses":
                played.request = parse_responses_request(fields, **server)
                return played.request.prompt
            case "goes_on":
                assert self._prompt is not None
                assert self._response is not None
                more = [parse_item(item) for item in fields]
                return replace(self._prompt.with_history(self._response, *more), **dict(changes))
            case _:
                raise AssertionError(f"nobody asks by {form!r}")

    async def _drive(self, rests: deque[tuple[int, Rest]], played: Played) -> None:
        """Let the replies go on when the caller has seen what is due, and let limits strike.

        A limit strikes only when all that came before has been read, or the client could still be saved from it.
        """
        before = len(self.server.requests), self.watch.attempts
        while rests:
            number, rest = rests[0]
            await self.server.received(before[0] + number + 1)
            await self.server.at_rest()
            if isinstance(rest, Shown):
                await played.has_heard(rest.text)
                rests.popleft()
                self.server.release()
            else:
                await self.watch.ended(before[1] + number + rest.answered)
                await self.clock.wait_for_timer(rest.seconds)
                rests.popleft()
                self.clock.advance(rest.seconds)
            await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def world(case: Case) -> AsyncGenerator[World]:
    clock, watch = ManualClock(auto_advance=True), Watch()
    async with AccountServer(clock) as server, OAuthClient(server.issuer, clock=clock) as oauth:
        server.models = BUILT_IN_MODELS.slugs
        auth: Any = KEY
        if case.accounts:
            tokens = [server.issue(new_account(server, number, spec)) for number, spec in enumerate(case.accounts)]
            auth = CredentialPool(MemoryTokenStore(tokens), oauth=oauth, provider=server.provider(), clock=clock)
        config = config_of(case, provider_of(case, server), auth=auth, clock=clock, telemetry=watch)
        carrier = MessageCarrier() if case.carrier == "messages" else None
        async with httpx.AsyncClient(transport=carrier or ScriptedTransport([])) as http_client:
            if carrier:
                config = replace(config, http_client=http_client)
            async with RoutedApiClient(config) as client:
                it = World(server, clock, client, watch)
                it.carrier = carrier
                yield it
        if case.accounts:
            await auth.aclose()
        await server.idle()


@contextmanager
def _listening(played: Played) -> Iterator[None]:
    """Note the warnings of the kind that scenarios are about, every other one is an error; and all log records."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            played.records.append(record)

    ear, root, library = Ear(), logging.getLogger(), logging.getLogger("codex_client")
    levels = root.level, library.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    library.setLevel(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", DroppedParameterWarning)
        try:
            yield
        finally:
            root.removeHandler(ear)
            root.setLevel(levels[0])
            library.setLevel(levels[1])
            played.warnings = [str(each.message) for each in caught]


@asynccontextmanager
async def _together() -> AsyncGenerator[TaskGroup]:
    """A task group whose only failure is raised as it is."""
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        match group.exceptions:
            case [error]:
                raise error from None
            case _:
                raise
