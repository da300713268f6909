"""How a request wants to be answered: the form of the text, its length, the reasoning, the counts.

Of either API, as the prompt's own fields, or as what is sent beside them (`extra`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_client.bridge.fields import Fields
from codex_client.bridge.server_limits import note_ignored
from codex_client.bridge.tool_fields import check_json_schema
from codex_client.prompt import ReasoningOptions


def includes_usage(request: Fields, ignored: dict[str, None]) -> bool:
    options = request.child("stream_options")
    if options is None:
        return False
    wanted = bool(options.flag("include_usage"))
    for name, value in options.rest().items():
        note_ignored(f"stream_options.{name}", value, ignored)
    return wanted


def response_format(request: Fields, ignored: dict[str, None], *, to_chat: bool) -> dict[str, Any]:
    form = request.child("response_format")
    if form is None or form.needed("type") == "text":
        return {}
    schema = form.child("json_schema")
    if schema is None:
        if form.get("type") == "json_schema":
            raise form.fault("json_schema", "is missing; give its name and schema")
        flat: Mapping[str, Any] = form.values
    else:
        check_json_schema(schema)
        flat = {"type": "json_schema", **schema.values}
        if not to_chat:
            ignored.update(dict.fromkeys(f"response_format.{name}" for name in form.rest()))
    return {"response_format": form.values} if to_chat else {"text": {"format": flat}}


def chat_verbosity(request: Fields, extra: dict[str, Any]) -> str | None:
    """As `extra` wins field by field, it stands beside the format where that is in `text`."""
    verbosity = request.text("verbosity")
    if verbosity is None or "text" not in extra:
        return verbosity
    extra["text"] |= {"verbosity": verbosity}
    return None


def chat_reasoning(
    request: Fields, extra: dict[str, Any], ignored: dict[str, None], *, to_chat: bool
) -> ReasoningOptions | None:
    """OpenRouter's object, which says more, beats the plain effort."""
    effort, asked = request.text("reasoning_effort"), request.child("reasoning")
    if asked is None:
        return None if effort is None else ReasoningOptions(effort)
    if to_chat:
        extra["reasoning"] = asked.values
        return None if effort is None else ReasoningOptions(effort)
    options = ReasoningOptions(asked.text("effort") or effort, asked.text("summary"))
    ignored.update(dict.fromkeys(f"reasoning.{name}" for name in asked.rest()))
    return None if options == ReasoningOptions() else options


def responses_reasoning(
    request: Fields, extra: dict[str, Any], ignored: dict[str, None], *, to_chat: bool
) -> ReasoningOptions | None:
    asked = request.child("reasoning")
    if asked is None:
        return None
    # A Chat server shows its reasoning unasked.
    options = ReasoningOptions(asked.text("effort"), None if to_chat else asked.text("summary"))
    if (more := asked.rest()) and not to_chat:
        extra["reasoning"] = asked.values
    elif more:
        ignored.update(dict.fromkeys(f"reasoning.{name}" for name in more))
    return None if options == ReasoningOptions() else options


def responses_verbosity(request: Fields, extra: dict[str, Any], *, to_chat: bool) -> str | None:
    text = request.child("text")
    if text is None:
        return None
    verbosity, form = text.text("verbosity"), text.child("format")
    kind = "text" if form is None else form.needed("type")
    if form is not None and kind == "json_schema":
        check_json_schema(form)
    if not to_chat and (kind != "text" or text.rest()):
        extra["text"] = text.values
        return None
    if form is not None and kind != "text":
        schema = {name: value for name, value in form.values.items() if name != "type"}
        extra["response_format"] = {"type": kind, kind: schema} if schema else {"type": kind}
    return verbosity
