"""What a server says of a failure, read out of whatever JSON it says it in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from codex_client.classify.advice import JsonObject, finite, told_delay, told_headers, told_moment
from codex_client.classify.texts import refused_parameter
from codex_client.masking import mask_secrets
from codex_client.retry_advice import LIMIT_HEADER, text_delay

# Real bodies nest three levels: event, response, error.
_MAX_DEPTH = 6
# Far more than any real message; in a stream one may be as large as a frame.
_MAX_TEXT = 8192
_MAX_MINUTES = 0xFFFF


@dataclass(frozen=True, slots=True)
class ServerFailure:
    """One failure in the server's own words, credentials blanked. Every field may be unknown.

    `code` as written; a number becomes its digits. `status`: an HTTP status (400 to 599) told inside the body.
    `retry_after`: seconds to wait; `resets_at`: Unix seconds. `in_structure`: fields told that, and not the message.
    `window_minutes`: the length of the window that is used up. `limit_headers`: those of the headers told inside the
    body that speak of limits, with lower-case names.
    """

    code: str | None = None
    error_type: str | None = None
    message: str | None = None
    param: str | None = None
    status: int | None = None
    retry_after: float | None = None
    resets_at: float | None = None
    plan_type: str | None = None
    in_structure: bool = field(default=False, compare=False)
    window_minutes: int | None = None
    limit_headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


def parse_failure(value: Any, *, now: float | None = None) -> ServerFailure:
    """Reads any JSON value; what cannot be read is None in the result. Never raises.

    Shapes known: `{"error": {…}}`; `error` a string or a list; `detail` a string, a list or an object; the message at
    top level, or an object itself; xAI's message in `error` beside a top-level `code`; OAuth's `error` with
    `error_description`; `error` events, flat or nested; `response.failed`, whole or its error object alone.
    Without `now` (Unix seconds) an absolute time gives `resets_at`, but no `retry_after`.
    """
    layers, text = _unwrap(value)
    places = list(_places(layers))
    code, message = _code(layers, text), _message(layers, text)
    param = _param(layers) or refused_parameter(message or "")
    upstream = _upstream(places)
    if upstream is not None:
        message = _joined(message, upstream.message)
        code = upstream.code if upstream.code and _as_status(code) is not None else code
    delay, resets_at = told_delay(places, now), told_moment(places, now)
    # A moment in structure comes before words, also where only its reader can tell how long it is until then.
    in_structure = delay is not None or resets_at is not None
    return ServerFailure(
        code=code,
        error_type=_error_type(layers),
        message=message,
        param=param,
        status=_status(layers),
        retry_after=delay if in_structure else text_delay(message or ""),
        resets_at=resets_at,
        in_structure=in_structure,
        plan_type=next((plan for place in places if (plan := _text(place.get("plan_type")))), None),
        window_minutes=_window_minutes(places),
        limit_headers=_limit_headers(places),
    )


def _unwrap(value: Any) -> tuple[list[JsonObject], str | None]:
    """The objects around the failure, innermost first, and the string in their middle where there is one."""
    layers: list[JsonObject] = []
    for _ in range(_MAX_DEPTH):
        if isinstance(value, list):
            value = _first(cast("list[Any]", value))
        if isinstance(value, str):
            return layers, value
        if not isinstance(value, dict):
            break
        layer = cast("JsonObject", value)
        layers.insert(0, layer)
        value = _inside(layer)
    return layers, None


def _first(values: list[Any]) -> Any:
    """A list's first object, else its strings as one."""
    for value in values:
        if isinstance(value, dict):
            return cast("JsonObject", value)
    return "; ".join(value for value in values if isinstance(value, str)) or None


def _inside(layer: JsonObject) -> Any:
    """Where this object keeps the failure, None where it is the failure itself."""
    for key in ("error", "errors", "detail"):
        if layer.get(key):
            return layer[key]
    # Mistral's validation errors: {"message": {"detail": [...]}}.
    for key in ("response", "message"):
        if isinstance(layer.get(key), dict | list):
            return layer[key]
    return None


def _places(layers: list[JsonObject]) -> Iterator[JsonObject]:
    """Every object that may hold advice: the layers, and their `metadata` and `details`."""
    for layer in layers:
        yield layer
        for key in ("metadata", "details"):
            held: Any = layer.get(key)
            for place in cast("list[Any]", held) if isinstance(held, list) else [held]:
                if isinstance(place, dict):
                    yield cast("JsonObject", place)


def _code(layers: list[JsonObject], text: str | None) -> str | None:
    code = next((code for layer in layers if (code := _as_code(layer.get("code")))), None)
    if code is None and layers and "error_description" in layers[0]:
        return _text(text)
    return code


def _as_code(value: Any) -> str | None:
    if isinstance(value, str):
        return _text(value)
    number = finite(value)
    return str(int(number)) if number is not None and number < 1e9 and number.is_integer() else None


def _message(layers: list[JsonObject], text: str | None) -> str | None:
    innermost = layers[0] if layers else {}
    candidates = [innermost.get("error_description"), innermost.get("message"), innermost.get("msg"), text]
    candidates += [layer.get("message") for layer in layers]
    return next((message for candidate in candidates if (message := _text(candidate))), None)


def _error_type(layers: list[JsonObject]) -> str | None:
    """Only the failure's own: an event around it has a `type`, too. TGI calls it `error_type`, Google `status`."""
    innermost = layers[0] if layers else {}
    for key in ("type", "error_type"):
        name = _text(innermost.get(key))
        if name and name != "error" and not name.startswith("response."):
            return name
    status = _text(innermost.get("status"))
    return status if status and status.isupper() else None


def _param(layers: list[JsonObject]) -> str | None:
    for layer in layers:
        if param := _text(layer.get("param")):
            return param
        location: Any = layer.get("loc")
        if isinstance(location, list):
            # FastAPI: ["body", "messages", 0, "content"].
            return _text(".".join(name for step in cast("list[Any]", location) if (name := _as_code(step))))
    return None


def _status(layers: list[JsonObject]) -> int | None:
    for layer in layers:
        for key in ("status_code", "status", "code", "raw_status_code", "statusCode"):
            if (status := _as_status(layer.get(key))) is not None:
                return status
    return None


def _as_status(value: Any) -> int | None:
    number = finite(value)
    return int(number) if number is not None and 400 <= number < 600 and number.is_integer() else None


def _window_minutes(places: list[JsonObject]) -> int | None:
    """`limit_window_minutes` counts where it fits into 16 bits (codex's rule), also as digits; 0 is no length."""
    for place in places:
        value: Any = place.get("limit_window_minutes")
        number = None if isinstance(value, float) else finite(value)
        if number is not None and 0 < number <= _MAX_MINUTES and number.is_integer():
            return int(number)
    return None


def _limit_headers(places: list[JsonObject]) -> dict[str, str]:
    headers = next((headers for place in places if (headers := told_headers(place))), dict[str, str]())
    lowered = ((name.lower(), _text(value)) for name, value in headers.items())
    return {name: value for name, value in lowered if value and LIMIT_HEADER.search(name)}


def _upstream(places: list[JsonObject]) -> ServerFailure | None:
    """OpenRouter puts the answer of the provider behind it, JSON or text, into `metadata.raw`."""
    raw = next((raw for place in places if isinstance(raw := place.get("raw"), str)), None)
    if raw is None:
        return None
    try:
        return _flat(json.loads(raw))
    except (ValueError, RecursionError):
        return _flat(raw)


def _flat(value: Any) -> ServerFailure:
    """Code and message only: what lies inside a raw answer is not opened again."""
    layers, text = _unwrap(value)
    return ServerFailure(code=_code(layers, text), message=_message(layers, text))


def _joined(message: str | None, more: str | None) -> str | None:
    if message and more and more not in message:
        return f"{message}: {more}"
    return message or more


def _text(value: Any) -> str | None:
    """A string that may be shown: masked, not endless, encodable (JSON can hold half a surrogate pair)."""
    if not isinstance(value, str) or not value.strip():
        return None
    return mask_secrets(value[:_MAX_TEXT]).encode("utf-8", "replace").decode("utf-8").strip()
