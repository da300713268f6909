"""Content parts of Chat messages as those of items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from codex_client.bridge.fields import Fields
from codex_client.items import ContentPart, InputFile, InputImage, InputText, OtherContent, OutputText, Refusal


class PartReader:
    """Reads the `content` of messages. See `ChatHistory` for `keeps_extras` and `ignored`."""

    def __init__(self, *, keeps_extras: bool, ignored: dict[str, None]) -> None:
        self._keeps_extras = keeps_extras
        self._ignored = ignored

    def read(self, message: Fields, *, assistant: bool = False) -> list[ContentPart]:
        """The parts, none where there is no content. Raises `InvalidPayloadError` for a part of an unknown type."""
        content = message.get("content")
        if isinstance(content, str):
            return [InputText(text=content)] if content else []
        return [self._part(part, assistant=assistant) for part in message.children("content")]

    def _part(self, part: Fields, *, assistant: bool) -> ContentPart:
        match kind := part.needed("type"):
            case "text":
                model = OutputText if assistant else InputText
                return model.model_validate({"text": _text(part, "text"), **self._extras(part, model)})
            case "refusal" if assistant:
                return Refusal.model_validate({"refusal": _text(part, "refusal"), **self._extras(part, Refusal)})
            case "image_url" if not assistant:
                return InputImage.model_validate({**self._image(part), **self._extras(part, InputImage)})
            case "file" if not assistant:
                return InputFile.model_validate({**self._file(part), **self._extras(part, InputFile)})
            case "input_audio" if not assistant:
                return OtherContent.model_validate(dict(part.values))
            case _ if self._keeps_extras and kind in part.values:
                return OtherContent.model_validate(dict(part.values))
            case _:
                raise part.fault("type", f"is {kind[:40]!r}, for which there is no form here; leave the part out")

    def _image(self, part: Fields) -> dict[str, Any]:
        url = part.get("image_url")
        if isinstance(url, str):
            return _with_detail(url, part)
        image = part.child("image_url")
        if image is None:
            raise part.fault("image_url", "is missing; give {'url': …}")
        fields = _with_detail(image.needed("url"), image)
        self._note(image.rest(), "image_url.")
        return fields

    def _file(self, part: Fields) -> dict[str, Any]:
        file = part.child("file")
        if file is None:
            raise part.fault("file", "is missing; give {'file_id': …} or {'filename': …, 'file_data': …}")
        fields = {name: file.text(name) for name in ("file_id", "filename", "file_data")}
        self._note(file.rest(), "file.")
        return {name: text for name, text in fields.items() if text is not None}

    def _extras(self, part: Fields, model: type[BaseModel]) -> dict[str, Any]:
        extras = part.rest()
        kept = beyond(model, extras) if self._keeps_extras else {}
        self._note(name for name in extras if name not in kept)
        return kept

    def _note(self, names: Iterable[str], place: str = "") -> None:
        self._ignored.update(dict.fromkeys(f"messages.content.{place}{name}" for name in names))


def beyond(model: type[BaseModel], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the model has no name for: under one of its own, a stranger's field would be taken for it."""
    return {name: value for name, value in fields.items() if name not in model.model_fields}


def _with_detail(url: str, place: Fields) -> dict[str, Any]:
    detail = place.text("detail")
    return {"image_url": url} if detail is None else {"image_url": url, "detail": detail}


def _text(part: Fields, name: str) -> str:
    text = part.text(name)
    if text is None:
        raise part.fault(name, "is missing; give a text")
    return text
