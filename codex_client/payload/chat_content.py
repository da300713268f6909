"""Content parts in the Chat API's shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from pydantic import BaseModel

from codex_client.errors import InvalidPayloadError, UnsupportedOperationError
from codex_client.items import ContentPart, InputFile, InputImage, InputText, OtherContent, OutputText, Refusal
from codex_client.payload.encode import plain

# Fields of the Responses API that have no meaning on the Chat API, where strict servers refuse them. All other fields
# that this library does not know came from a Chat server or were set by the caller, and are sent.
_RESPONSES_ONLY = frozenset(
    {
        "annotations",
        "async",
        "caller",
        "created_by",
        "internal_chat_message_metadata_passthrough",
        "logprobs",
        "namespace",
        "status",
    }
)


def kept_extras(model: BaseModel) -> dict[str, Any]:
    """The unknown fields of an item or part that go back to a Chat server."""
    extras: Mapping[str, Any] = model.model_extra or {}
    return {key: plain(field) for key, field in extras.items() if key not in _RESPONSES_ONLY}


def chat_content(parts: Sequence[ContentPart], place: str, *, media: bool) -> str | list[dict[str, Any]]:
    """One string where all is plain text, which every server takes; else a list of parts.

    `media`: whether images and files may stand here. `place` names the spot in errors.
    """
    mapped = [_chat_part(part, place, media=media) for part in parts]
    if all(part.keys() == {"type", "text"} for part in mapped):
        return "".join(part["text"] for part in mapped)
    return mapped


def _chat_part(part: ContentPart, place: str, *, media: bool) -> dict[str, Any]:
    """A refusal is sent as the words it is: most servers know no field for it, and the model reads the same."""
    match part:
        case InputText() | OutputText():
            return {"type": "text", **kept_extras(part), "text": part.text}
        case Refusal():
            return {"type": "text", **kept_extras(part), "text": part.refusal}
        case InputImage() | InputFile() if not media:
            raise InvalidPayloadError(
                f"{place} holds an {part.type}, which the Chat Completions API takes in user messages only; "
                "move it to one"
            )
        case InputImage():
            return _image(part, place)
        case InputFile():
            return _file(part, place)
        case OtherContent():
            return _other(part, place)
        case _:
            assert_never(part)


def _image(part: InputImage, place: str) -> dict[str, Any]:
    if not part.image_url:
        raise UnsupportedOperationError(
            f"{place} holds an image by file_id, which the Chat Completions API does not know; "
            "give its image_url, or use InputImage.from_bytes"
        )
    image = {"url": part.image_url} if part.detail is None else {"url": part.image_url, "detail": part.detail}
    return {"type": "image_url", **kept_extras(part), "image_url": image}


def _file(part: InputFile, place: str) -> dict[str, Any]:
    if part.file_url:
        raise UnsupportedOperationError(
            f"{place} holds a file by file_url, which the Chat Completions API does not know; "
            "load it and use InputFile.from_bytes"
        )
    fields = {"file_id": part.file_id, "filename": part.filename, "file_data": part.file_data}
    return {"type": "file", **kept_extras(part), "file": {key: field for key, field in fields.items() if field}}


def _other(part: OtherContent, place: str) -> dict[str, Any]:
    """A part that has a field named like its type is Chat-shaped (`text`, `image_url`, `input_audio`, `video_url`):
    sent as it is.
    """
    if part.type not in (part.model_extra or {}):
        raise UnsupportedOperationError(
            f"{place} holds a part of type {part.type!r}, for which the Chat Completions API has no form; leave it out"
        )
    return {"type": part.type, **kept_extras(part)}
