"""History as Chat messages.

The Chat API has stricter order than the items: one assistant message carries the text and all calls of a step, and
the answers of all its calls follow at once. So items are read in steps. A step is a run of assistant messages and
calls; its calls stand on its last message, and their outputs are brought up behind it, wherever they came. That also
mends histories in which the model spoke between a call and its output, or the user did.

Fields of an item that this library does not know go along, but never in place of what the item itself says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, assert_never, cast

from codex_client.errors import UnsupportedOperationError
from codex_client.items import (
    Compaction,
    ContentPart,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellCall,
    Message,
    OtherItem,
    Reasoning,
    ResponseItem,
    WebSearchCall,
)
from codex_client.payload.chat_content import chat_content, kept_extras
from codex_client.payload.chat_reasoning import Thought, anchored_reasoning
from codex_client.payload.encode import encode_payload
from codex_client.payload.history import ToolCallItem, answered_call_id, call_id_of, is_known_type

# Left out in whatever shape: the answer that a search led to stands in a message, and only the server that wrote it can
# use an odd piece of reasoning.
_LEFT_OUT = frozenset({"web_search_call", "reasoning"})


def chat_messages(
    items: Iterable[ResponseItem],
    *,
    instructions: str,
    reasoning_field: str,
    tool_media: bool,
    custom_calls: bool = False,
) -> list[dict[str, Any]]:
    """The messages, `instructions` first. Every call among `items` must have its output.

    `reasoning_field`: the name under which reasoning goes back, "" for not at all. `tool_media`: whether images may
    stand in a tool's answer. `custom_calls`: whether the server takes calls of free-form tools as what they are. Web
    searches, which a Responses server did itself, have no form here and are left out, as
    codex does. Other items without a form are refused: the model might miss them.
    """
    carried = [item for item in items if _is_carried(item)]
    writer = _Writer(carried, reasoning_field=reasoning_field, tool_media=tool_media, custom_calls=custom_calls)
    if instructions:
        writer.messages.append({"role": "system", "content": instructions})
    writer.write(carried)
    return writer.messages


class _Writer:
    def __init__(
        self, items: list[ResponseItem], *, reasoning_field: str, tool_media: bool, custom_calls: bool
    ) -> None:
        self.messages: list[dict[str, Any]] = []
        self._outputs = {call_id: item for item in items if (call_id := answered_call_id(item)) is not None}
        self._thoughts = _thoughts(items, reasoning_field)
        self._reasoning_field = reasoning_field
        self._tool_media = tool_media
        self._custom_calls = custom_calls
        self._step = _Step()

    def write(self, items: list[ResponseItem]) -> None:
        for index, item in enumerate(items):
            thought = self._thoughts.get(index, Thought())
            match item:
                case Message(role="assistant"):
                    self._step.say(item, thought)
                case FunctionCall() | CustomToolCall() | LocalShellCall():
                    self._step.call(call_id_of(item), _tool_call(item, custom_calls=self._custom_calls), thought)
                case Reasoning():
                    pass
                case Message():
                    self._end_step()
                    self.messages.append(_message(item))
                case _:
                    self._end_step()
        self._end_step()

    def _end_step(self) -> None:
        step, self._step = self._step, _Step()
        self.messages += step.messages(self._reasoning_field)
        self.messages += [self._answer(call_id) for call_id in step.call_ids]

    def _answer(self, call_id: str) -> dict[str, Any]:
        item = self._outputs[call_id]
        extras = kept_extras(item)
        content: Any = extras.pop("output", "")
        if isinstance(item, FunctionCallOutput | CustomToolCallOutput):
            content = item.output
        if isinstance(content, list):
            content = chat_content(
                cast("list[ContentPart]", content), f"the output of call {call_id!r}", media=self._tool_media
            )
        return {**extras, "role": "tool", "tool_call_id": call_id, "content": content}


def _thoughts(items: list[ResponseItem], reasoning_field: str) -> dict[int, Thought]:
    return anchored_reasoning(items, whole=reasoning_field == "reasoning_content") if reasoning_field else {}


@dataclass
class _Draft:
    fields: dict[str, Any]
    thought: Thought


class _Step:
    """What the assistant said and called before anybody answered."""

    def __init__(self) -> None:
        self.call_ids: list[str] = []
        self._drafts: list[_Draft] = []
        self._calls: list[dict[str, Any]] = []
        self._called: Thought = Thought()
        self._just_said: object = None

    def say(self, message: Message, thought: Thought) -> None:
        """One that repeats the message right before it is not sent: it is the same text, streamed and then whole. Under
        an id of its own it is another message.
        """
        content = chat_content(message.content, "an assistant message", media=False)
        if (message.id, content) == self._just_said:
            self._drafts[-1].thought = self._drafts[-1].thought.and_then(thought, "\n")
        elif content or thought != Thought():
            self._just_said = message.id, content
            self._drafts.append(_Draft({"role": "assistant", "content": content, **kept_extras(message)}, thought))

    def call(self, call_id: str, fields: dict[str, Any], thought: Thought) -> None:
        self._just_said = None
        self.call_ids.append(call_id)
        self._calls.append(fields)
        self._called = self._called.and_then(thought, "\n")

    def messages(self, reasoning_field: str) -> list[dict[str, Any]]:
        if self._calls:
            last = self._drafts.pop() if self._drafts else _Draft({"role": "assistant", "content": None}, Thought())
            fields = {**last.fields, "content": last.fields["content"] or None, "tool_calls": self._calls}
            self._drafts.append(_Draft(fields, last.thought.and_then(self._called, "\n")))
        return [{**draft.fields, **draft.thought.fields(reasoning_field)} for draft in self._drafts]


def _message(message: Message) -> dict[str, Any]:
    """`developer` goes as `system`: most servers know only that, and OpenAI reads it the same but wants no mix."""
    role = "system" if message.role == "developer" else message.role
    content = chat_content(message.content, f"a message of the {message.role}", media=role == "user")
    return {"role": role, "content": content, **kept_extras(message)}


def _tool_call(call: ToolCallItem, *, custom_calls: bool) -> dict[str, Any]:
    """The call as a function call, the one kind that all servers know, unless the server takes custom ones.

    Servers and chat templates parse `arguments`, so it must be JSON: no arguments are {}, raw input is wrapped as
    {"input": …}, which is what a FunctionTool with one parameter `input` would have got. A local shell call is a call
    of `shell` with its action.
    """
    match call:
        case CustomToolCall() if custom_calls:
            custom = {"name": call.name, "input": call.input}
            return {**kept_extras(call), "id": call_id_of(call), "type": "custom", "custom": custom}
        case FunctionCall():
            name, arguments = call.name, call.arguments if call.arguments.strip() else "{}"
        case CustomToolCall():
            name, arguments = call.name, _json({"input": call.input}, call)
        case LocalShellCall():
            name, arguments = "shell", _json(call.action, call)
        case _:
            assert_never(call)
    function = {"name": name, "arguments": arguments}
    return {**kept_extras(call), "id": call_id_of(call), "type": "function", "function": function}


def _json(arguments: dict[str, Any], call: ToolCallItem) -> str:
    return encode_payload(arguments, name=f"call {call_id_of(call)!r}").decode()


def _is_carried(item: ResponseItem) -> bool:
    """Refuses a compaction: left out, the model would silently lose all the history that it stands for. Codex leaves
    out every item that it does not know; what such an item would have told the model, nobody can say.
    """
    if isinstance(item, Compaction):
        raise UnsupportedOperationError(
            "the input holds a compaction, which only the Responses API that wrote it can read; "
            "send the history that it replaced, or a summary in a message"
        )
    carried = not isinstance(item, OtherItem | WebSearchCall) or answered_call_id(item) is not None
    if not carried and item.type not in _LEFT_OUT:
        raise UnsupportedOperationError(
            f"the input holds an item of type {item.type!r}{_oddity(item.type)}, for which the Chat Completions API "
            "has no form; leave it out, or say in a message what it says"
        )
    return carried


def _oddity(kind: str) -> str:
    return " in a shape that this library does not know" if is_known_type(kind) else ""
