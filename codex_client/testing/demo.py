"""`python -m codex_client.testing.demo`: a whole tool turn, streamed live, over both APIs.

Without arguments a replay server on loopback answers, so that neither a key nor the internet is needed; the client, its
socket and its events are the real ones. With `--live` the same runs against the API that `OPENAI_API_KEY` opens, and
costs a few tokens.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import anyio

from codex_client import (
    Completed,
    FunctionCallOutput,
    FunctionTool,
    Message,
    Prompt,
    RateLimits,
    ReasoningOptions,
    ResponseEvent,
    RoutedApiClient,
    ToolCall,
    WireApi,
    connect,
    settings,
)
from codex_client.testing.chat_builders import chat_turn
from codex_client.testing.replay_server import ReplayServer
from codex_client.testing.scripts import Pause, Reply
from codex_client.testing.turns import responses_turn

_QUESTION = "Do I need an umbrella in Zurich today?"
_DIM, _BOLD, _END = ("\x1b[2m", "\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "", "")


def get_weather(city: Annotated[str, "the city's name"], unit: Literal["celsius", "fahrenheit"] = "celsius") -> str:
    """The weather in a city, now."""
    return f"{city}: light rain, 11 degrees {unit}"


_TOOL = FunctionTool.from_callable(get_weather)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m codex_client.testing.demo", description="stream a tool turn over both APIs"
    )
    parser.add_argument("--live", action="store_true", help="ask the real API with OPENAI_API_KEY")
    parser.add_argument(
        "--model", default=settings.MODEL.read() or "gpt-5-mini", help="for --live (default: %(default)s)"
    )
    parser.add_argument(
        "--pause", type=float, default=0.03, help="seconds between the replay server's events (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.live and not settings.OPENAI_API_KEY.read():
        parser.error("--live needs OPENAI_API_KEY in the environment")
    anyio.run(live, options.model) if options.live else anyio.run(offline, options.pause)


async def offline(pause: float) -> None:
    """Both APIs against a replay server that rests `pause` seconds after each event."""
    call = ToolCall("call_1", "get_weather", '{"city":"Zurich","unit":"celsius"}')
    thought = "The user asks about rain. The weather tool will know."
    answer = "Yes: light rain and 11 °C in Zurich. Take the umbrella."
    turns: dict[WireApi, list[list[dict[str, Any]]]] = {
        WireApi.RESPONSES: [
            responses_turn("Let me look.", reasoning_summary=thought, tool_calls=[call]),
            responses_turn(answer, response_id="resp_2"),
        ],
        WireApi.CHAT: [
            chat_turn("Let me look.", reasoning=thought, tool_calls=[call]),
            chat_turn(answer, response_id="chatcmpl-2"),
        ],
    }
    for wire_api, replies in turns.items():
        script = [_paced(events, pause, done=wire_api is WireApi.CHAT) for events in replies]
        async with ReplayServer(script, strict=True) as server:
            _say(f"{wire_api.value}: {server.base_url}{wire_api.path}, a replay server over a real socket")
            async with connect("demo-model", provider=server.provider(wire_api), auth="demo-key") as client:
                await _tool_loop(client)
            server.assert_complete()


async def live(model: str) -> None:
    """Both APIs against the real one."""
    for wire_api in WireApi:
        async with connect(model, provider="openai", wire_api=wire_api) as client:
            _say(f"{wire_api.value}: the real API, model {model}")
            await _tool_loop(client)


async def _tool_loop(client: RoutedApiClient) -> None:
    """Ask, answer the calls, and ask again until there is none."""
    prompt = Prompt(
        _QUESTION, instructions="Be brief.", tools=[_TOOL], reasoning=ReasoningOptions(effort="low", summary="auto")
    )
    for _ in range(4):
        async with client.stream(prompt) as stream:
            async for event in stream:
                _show(event)
            response = await stream.collect()
        outputs = [
            FunctionCallOutput(call_id=call.call_id, output=get_weather(**dict(_TOOL.parse(call.arguments))))
            for call in response.tool_calls
        ]
        if not outputs:
            _say(f"answer: {response.text}")
            return
        for output in outputs:
            print(f"{_DIM}  our tool answers {output.call_id}: {output.output}{_END}")
        prompt = prompt.with_history(response, *outputs)


def _show(event: ResponseEvent) -> None:
    """One line an event, its type first; what was counted is written out at the end."""
    match event:
        case Completed(token_usage=usage) if usage is not None:
            print(
                f"  {event.type:<30} {event.response_id}: {usage.input_tokens} tokens in "
                f"({usage.cached_input_tokens} cached), {usage.output_tokens} out "
                f"({usage.reasoning_output_tokens} reasoning)"
            )
        case RateLimits(snapshot=snapshot):
            used = ", ".join(f"{window.used_percent:g} % of {window.window_minutes} min" for window in snapshot.windows)
            print(f"  {event.type:<30} {snapshot.limit_id}: {used}")
        case _ if (delta := getattr(event, "delta", None)) is not None:
            print(f"  {event.type:<30} {delta!r}")
        case _ if (item := getattr(event, "item", None)) is not None:
            text = item.text if isinstance(item, Message) else getattr(item, "arguments", "")
            print(f"  {event.type:<30} {item.type} {text}".rstrip())
        case _:
            print(f"  {event.type}")
    sys.stdout.flush()


def _paced(events: Sequence[dict[str, Any]], pause: float, *, done: bool) -> Reply:
    """The turn at a speed at which its arrival can be watched, with the rate-limit headers of the Codex backend."""
    headers = {
        "x-codex-primary-used-percent": "12",
        "x-codex-primary-window-minutes": "300",
        "x-codex-secondary-used-percent": "40",
        "x-codex-secondary-window-minutes": "10080",
    }
    reply = Reply.from_events(events, done=done, headers=headers)
    steps = [step for send in reply.steps for step in (send, Pause(pause))]
    return Reply(headers=reply.headers, transfer=reply.transfer, body=steps)


def _say(text: str) -> None:
    print(f"\n{_BOLD}{text}{_END}\n", flush=True)


if __name__ == "__main__":
    main()
