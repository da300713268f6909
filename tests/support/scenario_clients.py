"""What a scenario's client is made of: provider, configuration, accounts, prompts, and a carrier that is no HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx

from codex_client.api import ApiRequest, Retry, TurnContext, TurnRecord
from codex_client.client.config import ClientConfig, GuardPolicy, RestartPolicy, RetryPolicy, StreamLimits, Timeouts
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.models import BUILT_IN_MODELS
from codex_client.prompt import FunctionTool, Prompt, RawTool, ReasoningOptions
from codex_client.testing import AccountServer, RecordedRequest, Reply, ScriptedTransport, ServerAccount
from codex_client.testing.waits import Changes
from tests.support.scenarios import Case, Json

_POLICIES = {
    "guards": GuardPolicy,
    "limits": StreamLimits,
    "reasoning": ReasoningOptions,
    "restart": RestartPolicy,
    "timeouts": Timeouts,
}


class Watch:
    """Hears of every attempt and every retry."""

    def __init__(self) -> None:
        self.attempts = 0
        self.retries: list[Retry] = []
        self.changes = Changes()

    def start_turn(self, turn: TurnContext) -> Watch:
        return self

    def record(self, record: TurnRecord) -> None:
        if isinstance(record, Retry):
            self.retries.append(record)
        elif isinstance(record, ApiRequest):
            self.attempts += 1
            self.changes.notify()

    async def ended(self, attempts: int) -> None:
        """Wait until so many attempts have their answer's head, or have failed."""
        await self.changes.expect(
            lambda: self.attempts >= attempts, 5, lambda: f"{self.attempts} of {attempts} attempts"
        )


class MessageCarrier(httpx.AsyncBaseTransport):
    """What a WebSocket would be: a request goes out as one message, typed and without `stream`, and messages come in.

    It is plugged in as the `http_client`'s transport, and nothing above it can tell.
    """

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        self._replies = ScriptedTransport([])

    def expect(self, replies: Sequence[Reply]) -> None:
        self._replies.assert_complete()
        self._replies = ScriptedTransport(list(replies))

    def assert_complete(self) -> None:
        self._replies.assert_complete()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        message = {"type": "response.create", **{name: field for name, field in body.items() if name != "stream"}}
        content = json.dumps(message).encode()
        self.requests.append(RecordedRequest("MESSAGE", request.url.path, request.headers, content))
        return await self._replies.handle_async_request(request)


def new_account(server: AccountServer, number: int, spec: Json) -> ServerAccount:
    spec = dict(spec)
    used, refusal = spec.pop("used_percent", None), spec.pop("refusal", None)
    account = server.add_account(f"acct-{number + 1}", **spec)
    account.refusal = refusal
    if used is not None:
        account.limit(used)
    return account


def provider_of(case: Case, server: AccountServer) -> ModelProviderInfo:
    spec = dict(case.provider)
    name, profile = spec.pop("name", "chatgpt"), spec.pop("profile", "chatgpt-codex")
    return ModelProviderInfo(
        name=name,
        base_url=server.base_url,
        wire_api=WireApi(spec.pop("api", "responses")),
        profile=profile,
        **spec,
    )


def config_of(case: Case, provider: ModelProviderInfo, **more: Any) -> ClientConfig:
    spec = {"model": "gpt-5.2", "conversation_id": "conversation-1", "retry": {}, **case.config}
    retry = RetryPolicy(**{"jitter": 0.0, **spec.pop("retry")})
    aliases = spec.pop("aliases", None)
    if aliases is not None:
        spec["catalogue"] = BUILT_IN_MODELS.with_aliases(aliases)
    for name, policy in _POLICIES.items():
        if name in spec:
            fields = {key: tuple(part) if isinstance(part, list) else part for key, part in spec[name].items()}
            spec[name] = policy(**fields)
    return ClientConfig(provider=provider, retry=retry, **spec, **more)


def prompt_of(fields: Json) -> Prompt:
    fields = dict(fields)
    if "reasoning" in fields:
        fields["reasoning"] = ReasoningOptions(**fields["reasoning"])
    if "tools" in fields:
        fields["tools"] = [RawTool(tool) if "type" in tool else FunctionTool(**tool) for tool in fields["tools"]]
    return Prompt(**fields)
