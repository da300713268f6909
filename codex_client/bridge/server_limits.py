"""What the server behind is known not to take of a request, in the words of the API that the caller speaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codex_client.backend_profile import BackendProfile
from codex_client.bridge.fields import Fields
from codex_client.payload.paths import value_at

_HISTORY = ("previous_response_id", "conversation")
# A field of the payload, and what callers of the other API call it.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "max_output_tokens": ("max_completion_tokens", "max_tokens"),
    "max_completion_tokens": ("max_tokens", "max_output_tokens"),
    "max_tokens": ("max_completion_tokens", "max_output_tokens"),
    "reasoning": ("reasoning_effort",),
    "reasoning.effort": ("reasoning_effort",),
    "reasoning_effort": ("reasoning.effort",),
    "text.verbosity": ("verbosity",),
    "verbosity": ("text.verbosity",),
}
# What a field says that asks for nothing.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "frequency_penalty": (0,),
    "function_call": ("auto", "none"),
    "functions": ([],),
    "include": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "metadata": ({},),
    "presence_penalty": (0,),
    "store": (False,),
    "stop": ([],),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}


def asks_for_something(name: str, value: Any) -> bool:
    """Whether it matters to the caller that nothing is made of a field."""
    return value is not None and value not in _NEUTRAL.get(name, ())


def note_ignored(name: str, value: Any, ignored: dict[str, None]) -> None:
    """Add the name to those of which nothing is made, where that matters."""
    if asks_for_something(name, value):
        ignored[name] = None


def refuse_what_is_not_kept(request: Fields) -> None:
    """For a server that keeps neither responses nor conversations nor prompts. Raises `InvalidPayloadError`: without
    them the answer would be one to another question.
    """
    for name in _HISTORY:
        if request.get(name) is not None:
            raise request.fault(
                name, "asks for a history that the server behind does not keep; send the whole history as input"
            )
    if request.get("prompt") is not None:
        raise request.fault(
            "prompt", "asks for a prompt that the server behind does not keep; send it as instructions and input"
        )


def refused_fields(request: Fields, backend: BackendProfile) -> Iterator[str]:
    """The caller's fields that the server is known to refuse, which are left out of the payload."""
    values = dict(request.values)
    for path in sorted(backend.refused):
        for name in (path, *_OTHER_NAMES.get(path, ())):
            if asks_for_something(name, value_at(values, name)):
                yield name
