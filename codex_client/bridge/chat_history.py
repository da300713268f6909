"""The messages of a Chat request as instructions and items.

Instructions are the system and developer messages that come first, with a blank line between them; later ones keep
their place as developer messages. Where nothing but system messages says anything, they are developer messages all:
instructions alone ask for nothing. A call without an id gets one made from its place and content, and the first tool
message without an id answers the first such call that is still open.

A message's further fields go with its item, but for those that the item has a name of its own for, where it means
something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from codex_client.bridge.call_pairs import CallPairs
from codex_client.bridge.chat_parts import PartReader, beyond
from codex_client.bridge.fields import Fields
from codex_client.bridge.reasoning import ReasoningFormat, reasoning_items, split_think_tags
from codex_client.decode.wire import as_json_text, as_list, as_text
from codex_client.items import (
    ContentPart,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Message,
    OutputText,
    Refusal,
    ResponseItem,
)
from codex_client.payload.history import is_blank

_ROLES = "system, developer, user, assistant or tool"
# Fields of an assistant message that say nothing to the next turn: openai-python sends back what it was given.
_EMPTY: tuple[object, ...] = ({}, [], "")


class ChatHistory:
    """What messages say. `keeps_extras`: whether the upstream server takes the Chat API's own further fields; where it
    does not, their names are in `ignored`.
    """

    def __init__(self, *, keeps_extras: bool, reasoning_format: ReasoningFormat) -> None:
        self.instructions: list[str] = []
        self.items: list[ResponseItem] = []
        self.ignored: dict[str, None] = {}
        self._keeps_extras = keeps_extras
        self._parts = PartReader(keeps_extras=keeps_extras, ignored=self.ignored)
        self._reads_think_tags = reasoning_format is ReasoningFormat.THINK_TAGS
        self._pairs = CallPairs()

    def read(self, messages: Iterable[Fields]) -> None:
        """Add the messages, in order. Raises `InvalidPayloadError` for what is none."""
        for message in messages:
            match role := message.needed("role"):
                case "system" | "developer":
                    self._read_system(message)
                case "user":
                    self._add_message("user", self._needed_parts(message), message)
                case "assistant":
                    self._read_assistant(message)
                case "tool":
                    self._read_tool(message)
                case "function":
                    raise message.fault("role", "is 'function', the form before tools; send role 'tool' with its call")
                case _:
                    raise message.fault("role", f"is {role[:40]!r}; it is one of {_ROLES}")
        self._pairs.check_all_answered()
        if all(map(is_blank, self.items)):
            self.items = [*map(Message.developer, filter(None, self.instructions)), *self.items]
            self.instructions = []

    def _read_system(self, message: Fields) -> None:
        parts = self._needed_parts(message)
        extras = self._extras(message, Message)
        texts = [part.text for part in parts if isinstance(part, InputText)]
        if len(texts) < len(parts):
            raise message.fault("content", "holds more than text, which instructions cannot; move it to a user message")
        is_plain = not extras and not any(part.model_extra for part in parts)
        if is_plain and not self.items:
            self.instructions.append("".join(texts))
        else:
            # Where a Chat server reads more than the text (cache marks), the message stays whole.
            role = "developer" if is_plain else "system"
            self.items.append(Message.model_validate({"role": role, "content": parts, **extras}))

    def _read_assistant(self, message: Fields) -> None:
        thought, parts = self._thought_and_parts(message)
        if refusal := message.text("refusal"):
            parts.append(Refusal(refusal=refusal))
        if message.get("function_call") is not None:
            raise message.fault("function_call", "is the form before tools; send `tool_calls`")
        details = as_list(message.get("reasoning_details"))
        plain = as_text(message.get("reasoning_content")) or as_text(message.get("reasoning"))
        self.items += reasoning_items(plain or thought, details, to_chat=self._keeps_extras)
        calls = [self._call(call) for call in message.children("tool_calls")]
        if parts:
            self._add_message("assistant", parts, message)
        else:
            self._extras(message, Message)
        self.items += calls

    def _thought_and_parts(self, message: Fields) -> tuple[str, list[ContentPart]]:
        content = message.get("content")
        if not isinstance(content, str):
            return "", self._parts.read(message, assistant=True)
        thought, text = split_think_tags(content) if self._reads_think_tags else ("", content)
        return thought, [OutputText(text=text)] if text else []

    def _call(self, call: Fields) -> FunctionCall | CustomToolCall:
        kind = call.text("type") or "function"
        if kind not in ("function", "custom"):
            raise call.fault("type", f"is {kind[:40]!r}; a call is a function or custom")
        body = call.child(kind)
        if body is None:
            raise call.fault(kind, "is missing; give its name and what it was called with")
        name = body.needed("name")
        text = as_json_text(body.get("input" if kind == "custom" else "arguments"))
        given_id = call.text("id") or ""
        call_id = self._pairs.call(
            given_id,
            place=call.path,
            kind="custom_tool_call" if kind == "custom" else "function_call",
            made_up_id=_made_up_id(call, name, text),
        )
        call.get("index")
        model, field = (CustomToolCall, "input") if kind == "custom" else (FunctionCall, "arguments")
        extras = self._extras(call, model, "messages.tool_calls")
        return model.model_validate({"call_id": call_id, "name": name, field: text, **extras})

    def _read_tool(self, message: Fields) -> None:
        call = self._pairs.output(message.text("tool_call_id") or "", place=message.at("tool_call_id"))
        assert call is not None
        content = message.get("content")
        output = content if isinstance(content, str) else self._parts.read(message)
        model = CustomToolCallOutput if call.kind == "custom_tool_call" else FunctionCallOutput
        fields = {"call_id": call.call_id, "output": output or "", **self._extras(message, model)}
        self.items.append(model.model_validate(fields))

    def _needed_parts(self, message: Fields) -> list[ContentPart]:
        if parts := self._parts.read(message):
            return parts
        if message.get("content") == "":
            return [InputText(text="")]
        raise message.fault("content", "is missing or empty; give a text or content parts")

    def _add_message(self, role: str, parts: list[ContentPart], message: Fields) -> None:
        fields = {"role": role, "content": parts, **self._extras(message, Message)}
        if role == "assistant" and self._keeps_extras:
            # Who says the same twice means two messages, which an id tells apart. The Chat API is sent none.
            fields["id"] = message.path
        self.items.append(Message.model_validate(fields))

    def _extras(self, fields: Fields, model: type[BaseModel], place: str = "messages") -> dict[str, Any]:
        """The fields that items of this model have no name for; the others are ignored."""
        extras = {name: value for name, value in fields.rest().items() if value not in _EMPTY}
        kept = beyond(model, extras) if self._keeps_extras else {}
        self.ignored.update(dict.fromkeys(f"{place}.{name}" for name in extras if name not in kept))
        return kept


def _made_up_id(call: Fields, name: str, text: str) -> str:
    seed = f"{call.path}/{name}/{text}".encode("utf-8", "replace")
    return "call_" + hashlib.sha256(seed).hexdigest()[:24]
