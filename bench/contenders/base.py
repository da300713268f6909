"""What a contender is to the benchmark."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

# One that they know: litellm does not stream what it finds in no table of its own.
MODEL = "gpt-5"
KEY = "bench-key"
GUARDS = ("unguarded", "hold tail", "hold all")

# The frames of the Responses API that carry a piece of text, of arguments or of reasoning.
DELTA_TYPES = frozenset(
    {
        "response.output_text.delta",
        "response.function_call_arguments.delta",
        "response.reasoning_summary_text.delta",
    }
)


@dataclass(frozen=True)
class Setup:
    """Which server, and over which API (responses or chat).

    `connections` is how many streams will be open at once; None leaves the library as it comes. `guards` is for this
    library: prompts then offer a tool, and the answer is guarded so (one of GUARDS). `wrap` puts a watch around a
    transport, where the contender has one of httpx's form (`bench.watched.Watch.wrap`).
    """

    base_url: str
    api: str
    connections: int | None = None
    guards: str | None = None
    wrap: Callable[..., Any] | None = None

    @property
    def url(self) -> str:
        return f"{self.base_url}/{'responses' if self.api == 'responses' else 'chat/completions'}"


@dataclass(frozen=True)
class Reading:
    """One stream, read to its end: how much there was, and when the first event was handed out (monotonic seconds)."""

    length: int
    first_at: float


class Client(Protocol):
    """A client of one contender. Some have more ways to read, named as the mode of a figure: collect, aggregate."""

    def stream(self, prompt: str) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """One turn, as the library hands it out."""
        ...

    async def read(self, prompt: str) -> Reading:
        """One turn, read as a user would: the text of each delta is looked at."""
        ...


def payload(api: str, prompt: str) -> dict[str, Any]:
    """The body of a request by hand."""
    if api == "responses":
        return {"model": MODEL, "input": prompt, "stream": True}
    return {"model": MODEL, "stream": True, "stream_options": {"include_usage": True}, "messages": messages(prompt)}


def messages(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


def chat_length(choices: list[Any]) -> int:
    """The text and the arguments in the choices of a chunk that was parsed as JSON."""
    length = 0
    for choice in choices:
        delta = choice["delta"]
        length += len(delta.get("content") or "")
        for call in delta.get("tool_calls") or ():
            length += len(call["function"]["arguments"])
    return length


def chat_object_length(choices: list[Any]) -> int:
    """The same where a library made objects of them."""
    length = 0
    for choice in choices:
        delta = choice.delta
        if delta.content:
            length += len(delta.content)
        for call in delta.tool_calls or ():
            length += len(call.function.arguments or "")
    return length
