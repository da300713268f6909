"""HTTP headers that a server repeats inside its frames: what they tell of the model, once each time it changes."""

from __future__ import annotations

from typing import Any

from codex_client.decode.wire import as_list, as_object, as_text
from codex_client.events import ModelsEtag, ResponseEvent, ServerModel


class FrameHeaders:
    """Remembers what was told, so that a repetition gives no event."""

    def __init__(self) -> None:
        self._server_model = ""
        self._models_etag = ""

    def feed(self, fields: dict[str, Any]) -> list[ResponseEvent]:
        """The headers of one frame: its own `headers`, or those of its `response`."""
        headers = _texts(fields.get("headers"), as_object(fields.get("response")).get("headers"))
        events: list[ResponseEvent] = []
        model = headers.get("openai-model") or headers.get("x-openai-model") or self._server_model
        if model != self._server_model:
            self._server_model = model
            events.append(ServerModel(model))
        etag = headers.get("x-models-etag") or self._models_etag
        if etag != self._models_etag:
            self._models_etag = etag
            events.append(ModelsEtag(etag))
        return events


def _texts(*headers: Any) -> dict[str, str]:
    """Lower-case names; of several values the first."""
    found: dict[str, str] = {}
    for name, value in (pair for group in headers for pair in as_object(group).items()):
        if text := as_text((as_list(value) or [value])[0]):
            found.setdefault(name.lower(), text)
    return found
