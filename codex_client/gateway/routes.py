"""The gateway's routes, and which of them a request is for."""

from __future__ import annotations

from starlette.types import Scope

CHAT_ROUTE, RESPONSES_ROUTE = TURN_ROUTES = ("/v1/chat/completions", "/v1/responses")

_FIXED = frozenset({"/", "/health", "/metrics", "/status.json", "/v1/models", *TURN_ROUTES})
_MODELS = "/v1/models/"


def path_of(scope: Scope) -> str:
    """The path within the gateway, which may be mounted in another app or stand behind a proxy (ASGI's `root_path`).

    The rule is the one by which Starlette's router goes: what is let in must be what is served then.
    """
    path: str = scope["path"]
    within = path.removeprefix(scope.get("root_path", ""))
    return within if within[:1] in ("", "/") else path


def route_of(scope: Scope) -> str:
    """The pattern that the path fits: callers make up paths, and each would be a metric of its own."""
    path = path_of(scope)
    if path in _FIXED:
        return path
    return f"{_MODELS}{{id}}" if path.startswith(_MODELS) else "other"
