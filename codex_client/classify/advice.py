"""When to come back, as the body of a failure tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from codex_client.retry_advice import exhausted_delay, header_delay, reset_at, reset_duration

JsonObject: TypeAlias = dict[str, Any]

# `resets_in_seconds`: the ChatGPT backend; `retryDelay`: Google's RetryInfo, such as "48s".
_DELAY_KEYS = ("resets_in_seconds", "retry_after", "retryDelay")


def told_delay(places: Sequence[JsonObject], now: float | None) -> float | None:
    """Seconds to wait, from the first that tells it: headers inside the body, a length of time, a moment.

    `places`: the objects to look in, the nearest to the failure first. Without `now` a moment says nothing.
    """
    for place in places:
        if (delay := _headers_delay(place, now)) is not None:
            return delay
    for key in _DELAY_KEYS:
        for place in places:
            if (delay := _length(place.get(key))) is not None:
                return delay
    moment = told_moment(places, now)
    return None if moment is None or now is None else max(0.0, moment - now)


def told_moment(places: Sequence[JsonObject], now: float | None) -> float | None:
    """`resets_at` in Unix seconds; servers write it as a number, its digits, milliseconds or an ISO date."""
    for place in places:
        value: Any = place.get("resets_at")
        text = value if isinstance(value, str) else _digits(value)
        if (moment := reset_at(text, now=now)) is not None:
            return moment
    return None


def finite(value: Any) -> float | None:
    """A finite number that is not negative, also written as a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < float("inf") else None


def told_headers(place: JsonObject) -> dict[str, str]:
    """`error.headers`, empty where there are none: the values are strings, numbers, or lists of them."""
    held: Any = place.get("headers")
    if not isinstance(held, dict):
        return {}
    return {str(name): _header_value(value) for name, value in cast("JsonObject", held).items()}


def _length(value: Any) -> float | None:
    return reset_duration(value) if isinstance(value, str) else finite(value)


def _headers_delay(place: JsonObject, now: float | None) -> float | None:
    headers = told_headers(place)
    delay = header_delay(headers, now=now)
    return exhausted_delay(headers, now=now) if delay is None else delay


def _header_value(value: Any) -> str:
    single: Any = next(iter(cast("list[Any]", value)), None) if isinstance(value, list) else value
    return single if isinstance(single, str) else _digits(single)


def _digits(value: Any) -> str:
    number = finite(value)
    return "" if number is None else repr(number)
