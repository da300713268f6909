"""The bridge: requests of both OpenAI APIs as prompts, and events as what the clients of these APIs expect. Pure.

It lets clients of one API use a provider of the other, and lets any of them use whatever a prompt can be sent to. Names
are loaded when they are first used.
"""

from importlib import import_module
from typing import Any

# Module to its public names. `__init__.pyi` says the same to type checkers.
_MODULES = {
    "chat_chunks": "ChatChunks",
    "completion": "chat_completion",
    "errors": "ErrorAnswer error_answer",
    "reasoning": "ReasoningFormat",
    "requests": "BridgedRequest parse_chat_request parse_responses_request",
    "response": "response_object",
    "responses_events": "ResponsesEvents",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
