"""Content parts of Chat messages as those of items."""

from __future__ import annotations

from typing import Any

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
                fields = {"text": _text(part, "text"), **self._extras(part)}
                return OutputText.model_validate(fields) if assistant else InputText.model_validate(fields)
            case "refusal" if assistant:
                return Refusal.model_validate({"refusal": _text(part, "refusal"), **self._extras(part)})
            case "image_url" if not assistant:
                return InputImage.model_validate({**self._image(part), **self._extras(part)})
            case "file" if not assistant:
                return InputFile.model_validate({**self._file(part), **self._extras(part)})
            case "input_audio" if not assistant:
                return OtherContent.model_validate(dict(part.values))
            case _ if self._keeps_extras and kind in part.values:
                return OtherContent.model_validate(dict(part.values))
            case _:
                raise part.fault("type", f"is {kind[:40]!r}, for which there is no form here; leave the part out")

    def _image(self, part: Fields) -> dict[str, Any]:
        url = part.get("image_url")
        if isinstance(url, str):
            return {"image_url": url}
        image = part.child("image_url")
        if image is None:
            raise part.fault("image_url", "is missing; give {'url': …}")
        detail = image.text("detail")
        fields: dict[str, Any] = {"image_url": image.needed("url")}
        self._note(image, "image_url.")
        return fields if detail is None else {**fields, "detail": detail}

    def _file(self, part: Fields) -> dict[str, Any]:
        file = part.child("file")
        if file is None:
            raise part.fault("file", "is missing; give {'file_id': …} or {'filename': …, 'file_data': …}")
        fields = {name: file.text(name) for name in ("file_id", "filename", "file_data")}
        self._note(file, "file.")
        return {name: text for name, text in fields.items() if text is not None}

    def _extras(self, part: Fields) -> dict[str, Any]:
        if self._keeps_extras:
            return part.rest()
        self._note(part)
        return {}

    def _note(self, fields: Fields, place: str = "") -> None:
        self._ignored.update(dict.fromkeys(f"messages.content.{place}{name}" for name in fields.rest()))


def _text(part: Fields, name: str) -> str:
    text = part.text(name)
    if text is None:
        raise part.fault(name, "is missing; give a text")
    return text
