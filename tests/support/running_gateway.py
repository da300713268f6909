"""A gateway on a loopback port, a provider behind it, in a thread of its own: for clients that know nothing of us."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from anyio.from_thread import BlockingPortal, start_blocking_portal
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from codex_client.auth.store import MemoryTokenStore
from codex_client.client.config import ClientConfig, RetryPolicy, Timeouts
from codex_client.credentials.pool import CredentialPool
from codex_client.gateway import GatewayConfig, create_app
from codex_client.gateway.app import gateway_of
from codex_client.model_provider import WireApi
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import AccountServer, RecordedRequest, ReplayServer, Reply
from tests.support.gateways import served, turns_end
from tests.support.pretend_model import act, asked_of

KEY = "a-key-for-tests"
Kind: TypeAlias = Literal["chatgpt", "chat"]
KINDS: tuple[Kind, ...] = ("chatgpt", "chat")
"""Two ChatGPT accounts, or a provider that speaks Chat Completions."""
THOUGHTS: dict[Kind, str] = {"chatgpt": "Thinking.", "chat": "Let me think."}
"""What the model of each thinks."""
MODELS = ("gpt-5", "gpt-5-mini")


@dataclass(frozen=True)
class RunningGateway:
    """`url` is what clients take as their base URL. `upstream` runs in another thread, so that it is only
    looked at.
    """

    kind: Kind
    url: str
    upstream: ReplayServer
    app: Starlette
    portal: BlockingPortal

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The bodies that the provider was sent."""
        return [each.json() for each in self.upstream.requests if each.method == "POST"]

    @property
    def routes(self) -> set[str]:
        """Those of the gateway that have been asked."""
        families = text_string_to_metric_families(gateway_of(self.app).metrics.text(()).decode())
        return {sample.labels["route"] for family in families for sample in family.samples if "route" in sample.labels}

    def idle(self) -> None:
        """Wait until no turn is open, neither at the provider nor in the gateway."""
        self.portal.call(self._idle)

    async def _idle(self) -> None:
        await turns_end(self.app)
        await self.upstream.idle()


@contextmanager
def running_gateway(kind: Kind) -> Iterator[RunningGateway]:
    """Every turn goes to `pretend_model`, behind all that such a provider checks."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(_running(kind, portal)) as it:
        yield it
        portal.call(it.upstream.assert_complete)


@asynccontextmanager
async def _running(kind: Kind, portal: BlockingPortal) -> AsyncIterator[RunningGateway]:
    double = _PretendChatGpt() if kind == "chatgpt" else _pretend_provider()
    async with double as upstream, _client_of(upstream) as client:
        app = create_app(client, config=GatewayConfig(keys=(KEY,)))
        async with served(app) as url:
            yield RunningGateway(kind, f"{url}/v1", upstream, app, portal)


@asynccontextmanager
async def _client_of(upstream: ReplayServer) -> AsyncIterator[RoutedApiClient]:
    """One repetition, which is what a second account takes, and no waiting for it."""
    retry = RetryPolicy(request_max_retries=1, stream_max_retries=1, base_delay=0, max_retry_after=1)
    config = ClientConfig(
        provider=upstream.provider(WireApi.CHAT),
        model=MODELS[0],
        retry=retry,
        timeouts=Timeouts(first_event=30, idle=30),
    )
    if not isinstance(upstream, AccountServer):
        async with RoutedApiClient(config) as client:
            yield client
        return
    provider = upstream.provider()
    # Given in so many words it also holds for a server that is not ChatGPT's: bodies go compressed.
    provider = replace(provider, profile=provider.backend)
    logins = [upstream.issue(upstream.add_account(f"acct-{number}")) for number in (1, 2)]
    pool = CredentialPool(MemoryTokenStore(logins), provider=provider)
    async with pool, RoutedApiClient(replace(config, provider=provider, auth=pool)) as client:
        yield client


class _PretendChatGpt(AccountServer):
    """With a model of more talents, except for thinking: what the server seals itself, it also checks when it comes
    back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.models, self.text = MODELS, "It is so."

    def _served(self, request: RecordedRequest) -> Reply:
        reply = super()._served(request)
        if reply.status != 200 or not request.path.endswith("/responses"):
            return reply
        body = request.json()
        if asked_of(body, WireApi.RESPONSES).text == "think":
            return reply
        acted = act(body, WireApi.RESPONSES)
        limits = [(name, value) for name, value in reply.header_list if name.startswith("x-")]
        return replace(acted, headers=[*acted.header_list, *limits])


def _pretend_provider() -> ReplayServer:
    """As strict as OpenAI in what it takes."""
    listed = Reply.from_json({"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})
    return ReplayServer(
        {"/chat/completions": lambda request: act(request.json(), WireApi.CHAT), "GET /models": lambda _: listed},
        strict=True,
    )
