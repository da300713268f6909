"""The gateway as an ASGI app."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from codex_client.api import ApiClient, Clock, SystemClock
from codex_client.backend_profile import GENERIC_RESPONSES
from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.client.config import ClientConfig
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import CodexError
from codex_client.gateway.access import AccessControl
from codex_client.gateway.activity import Activity
from codex_client.gateway.config import GatewayConfig
from codex_client.gateway.dialects import chat_dialect, responses_dialect
from codex_client.gateway.metrics import GatewayMetrics
from codex_client.gateway.model_list import ModelList
from codex_client.gateway.refusals import answer_failure, answer_refusal
from codex_client.gateway.routes import CHAT_ROUTE, RESPONSES_ROUTE
from codex_client.gateway.state import Gateway
from codex_client.gateway.status import StatusPages
from codex_client.gateway.turns import TurnEndpoint
from codex_client.gateway.watch import RequestWatch
from codex_client.model_provider import WireApi
from codex_client.models import ModelCatalogue


def create_app(
    client: ApiClient,
    *,
    config: GatewayConfig | None = None,
    models: ModelCatalogue | None = None,
    clock: Clock | None = None,
) -> Starlette:
    """A gateway over `client`, to be served by `serve` or by any ASGI server.

    Where its credential source is a `CredentialPool`, that one's accounts are shown, and `/health` goes by them.
    `models`: what `/v1/models` tells; None for what the client's `models()` fetches. The client stays the caller's to
    close, after the app has ended.
    """
    config, clock = config or GatewayConfig(), clock or SystemClock()
    activity = Activity(max_turns=config.max_turns, clock=clock)
    of_client: ClientConfig | None = getattr(client, "config", None)
    provider, pool = of_client and of_client.provider, of_client and of_client.auth
    gateway = Gateway(
        client=client,
        # Somebody's own client that does not tell gets prompts in the form that holds more.
        upstream=provider.wire_api if provider else WireApi.RESPONSES,
        backend=provider.backend if provider else GENERIC_RESPONSES,
        default_model=of_client.model if of_client else None,
        config=config,
        pool=pool if isinstance(pool, CredentialPool) else None,
        models=ModelList(client, models, clock),
        activity=activity,
        metrics=GatewayMetrics(activity),
        clock=clock,
    )
    app = Starlette(
        routes=_routes(gateway),
        middleware=[
            Middleware(RequestWatch, activity=activity, metrics=gateway.metrics, clock=clock),
            Middleware(AccessControl, keys=config.keys),
        ],
        exception_handlers={HTTPException: answer_refusal, CodexError: answer_failure},
    )
    # A redirect would lose the body of a POST, and tell nothing that a 404 does not.
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    return app


def gateway_of(app: Starlette) -> Gateway:
    """What `create_app` put into the app."""
    return app.state.gateway


def _routes(gateway: Gateway) -> list[Route]:
    pages, models, server = StatusPages(gateway), gateway.models, (gateway.upstream, gateway.backend)
    chat = TurnEndpoint(gateway, chat_dialect(*server, ReasoningFormat(gateway.config.reasoning_format)))
    responses = TurnEndpoint(gateway, responses_dialect(*server))
    return [
        Route(CHAT_ROUTE, chat, methods=["POST"]),
        Route(RESPONSES_ROUTE, responses, methods=["POST"]),
        Route("/v1/models", models.list_models),
        Route("/v1/models/{id:path}", models.show_model),
        Route("/health", pages.health),
        Route("/metrics", pages.metrics),
        Route("/status.json", pages.status),
        Route("/", pages.page),
    ]
