"""litellm against gateways: `python litellm_client.py KEY BASE_URL…` prints what it met at each, as JSON.

It runs in an environment of its own, so it imports nothing of the project.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

# Else it asks the network for prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # pyright: ignore[reportMissingImports]

MODEL = "openai/gpt-5"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "The weather of a city.", "parameters": PARAMETERS}
CITY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}


class Client:
    def __init__(self, base_url: str, key: str) -> None:
        self._where: dict[str, Any] = {"api_base": base_url, "api_key": key, "max_retries": 0, "timeout": 30}

    def ask(self, text: str, **more: Any) -> Any:
        return litellm.completion(**{"model": MODEL, "messages": _user(text), **self._where, **more})

    async def ask_async(self, text: str, **more: Any) -> Any:
        return await litellm.acompletion(**{"model": MODEL, "messages": _user(text), **self._where, **more})

    def respond(self, asked: Any, **more: Any) -> Any:
        return litellm.responses(**{"model": MODEL, "input": asked, **self._where, **more})

    def chat(self) -> Any:
        whole = self.ask("say Hi there")
        chunks = list(self.ask("say Hi there", stream=True, stream_options={"include_usage": True}))
        rebuilt: Any = litellm.stream_chunk_builder(chunks)
        return {
            "whole": whole.choices[0].message.content,
            "finish_reason": whole.choices[0].finish_reason,
            "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
            "ids": len({chunk.id for chunk in chunks}),
            "same_usage": _counts(rebuilt.usage) == _counts(whole.usage),
        }

    async def chat_async(self) -> Any:
        whole = await self.ask_async("say Hi there")
        pieces = await self.ask_async("say Hi there", stream=True)
        streamed = [chunk.choices[0].delta.content or "" async for chunk in pieces]
        return [whole.choices[0].message.content, "".join(streamed)]

    def tools(self) -> Any:
        tools = [{"type": "function", "function": FUNCTION}]
        whole = self.ask("both", tools=tools).choices[0]
        built: Any = litellm.stream_chunk_builder(list(self.ask("both", tools=tools, stream=True)))
        calls = whole.message.tool_calls
        answers = [
            {"role": "tool", "tool_call_id": call.id, "content": f"{at} degrees"} for at, call in enumerate(calls)
        ]
        messages = [*_user("both"), whole.message.model_dump(), *answers]
        return {
            "finish_reason": whole.finish_reason,
            "calls": [_call(call) for call in calls],
            "streamed": [_call(call) for call in built.choices[0].message.tool_calls],
            "said": self.ask("", messages=messages, tools=tools).choices[0].message.content,
        }

    def structured(self) -> Any:
        form = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}
        return json.loads(self.ask("json", response_format=form).choices[0].message.content)

    def reasoning(self) -> Any:
        message = self.ask("think", reasoning_effort="low").choices[0].message
        pieces = [chunk.choices[0].delta for chunk in self.ask("think", reasoning_effort="low", stream=True)]
        streamed = "".join(getattr(piece, "reasoning_content", None) or "" for piece in pieces)
        return [message.content, message.reasoning_content, streamed]

    def responses(self) -> Any:
        whole = self.respond("say Hi there")
        events = list(self.respond("say Hi there", stream=True))
        deltas = [event.delta for event in events if str(event.type.value) == "response.output_text.delta"]
        return {
            "whole": whole.output[-1].content[0].text,
            "streamed": "".join(deltas),
            "last": str(events[-1].type.value),
            "same_usage": events[-1].response.usage.total_tokens == whole.usage.total_tokens,
        }

    def responses_tools(self) -> Any:
        tools = [{"type": "function", **FUNCTION}]
        first = self.respond("weather", tools=tools)
        [call] = [item for item in first.output if item.type == "function_call"]
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "4 degrees"}
        history = [*_user("weather"), *(item.model_dump(exclude_none=True) for item in first.output), output]
        return self.respond(history, tools=tools).output[-1].content[0].text

    def errors(self) -> Any:
        return {
            "bad": self.failure("bad"),
            "busy": self.failure("busy"),
            "wrong key": self.failure("say Hi", api_key="another-key"),
            "waited": self.failure("wait", timeout=0.3),
            "break": self.failure("break", stream=True),
        }

    def limit(self) -> Any:
        """The last, as it parks the accounts."""
        return self.failure("limit")

    def failure(self, text: str, **more: Any) -> Any:
        heard = ""
        try:
            answer = self.ask(text, **more)
            for chunk in answer if more.get("stream") else ():
                heard += chunk.choices[0].delta.content or ""
        except Exception as error:  # noqa: BLE001
            return [type(error).__name__, getattr(error, "status_code", None), heard]
        return None


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _call(call: Any) -> list[str]:
    return [call.id, call.function.name, call.function.arguments]


def _counts(usage: Any) -> list[int]:
    return [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]


async def _met(client: Client) -> dict[str, Any]:
    met: dict[str, Any] = {"chat_async": await client.chat_async()}
    names = ("chat", "tools", "structured", "reasoning", "responses", "responses_tools", "errors", "limit")
    for name in names:
        try:
            met[name] = await asyncio.to_thread(getattr(client, name))
        except Exception as error:  # noqa: BLE001
            met[name] = {"raised": repr(error)}
    return met


async def _met_at(key: str, *base_urls: str) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*(_met(Client(base_url, key)) for base_url in base_urls)))


if __name__ == "__main__":
    litellm.suppress_debug_info = True
    sys.stdout.write(json.dumps(asyncio.run(_met_at(*sys.argv[1:]))) + "\n")
