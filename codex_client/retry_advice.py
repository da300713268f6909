"""How long a server asks to wait, in every form that servers use. Pure: time is an argument.

Seconds everywhere. A text that says nothing usable (negative, no number, -1 for unknown) gives None, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15}")
# Longer names before shorter ones; a unit ends where its letters end ("5 months" is no "5 m").
_UNIT = (
    r"(?:(?P<{0}ms>ms|msecs?|milliseconds?)|(?P<{0}s>s|secs?|seconds?)|(?P<{0}m>m|mins?|minutes?)"
    r"|(?P<{0}h>h|hrs?|hours?)|(?P<{0}d>d|days?))(?![a-z])"
)
# Compiled when a text is first read, which is when something has failed; `re` keeps them.
_PART = r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?)\s{0,2}" + _UNIT.format("")
_BARE_PART = re.sub(r"\?P<\w+>", "?:", _PART)
# The gaps are bounded so that no text, however long, takes more than linear time.
_COMPOUND = rf"{_BARE_PART}(?:\s{{0,2}}(?:,|and)?\s{{0,2}}{_BARE_PART}){{0,5}}"
_ADVICE = rf"\b(?:try again in|retry(?: again)? (?:in|after)|wait(?: for)?)\s{{1,4}}(?P<duration>{_COMPOUND})"
# The names of the headers that tell limits, in lower case. `x-codex-turn-state` is none: it is a session's secret.
LIMIT_HEADER = re.compile(
    r"^(?:x-codex-(?!turn-state)|(?:x-)?ratelimit|x-quota-snapshot-|x-.+-(?:primary|secondary)-|x-.+-limit-name$)"
)
# A bare number this large is no duration but Unix time (2001 or later); this much larger, and it counts milliseconds.
_FIRST_EPOCH = 1e9
_FIRST_EPOCH_MS = 1e11


def lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with their names in lower case, whatever mapping they came in."""
    return {name.lower(): value for name, value in headers.items()}


def header_delay(headers: Mapping[str, str], *, now: float | None) -> float | None:
    """`retry-after-ms`, then `retry-after`: seconds, also fractions, or an HTTP date (RFC 9110, 10.2.3), 0 if past.

    Names in any case. A `retry-after-ms` of 0 gives way to `retry-after`: Azure sends `retry-after-ms: 0` beside
    `retry-after: 1`. Without `now` (Unix seconds) a date says nothing.
    """
    lowered = lower_names(headers)
    milliseconds = number(lowered.get("retry-after-ms", ""))
    if milliseconds:
        return milliseconds / 1000
    text = lowered.get("retry-after", "")
    delay = number(text)
    if delay is None and now is not None and (moment := _http_date(text)) is not None:
        delay = max(0.0, moment - now)
    return milliseconds if delay is None else delay


def text_delay(message: str) -> float | None:
    """The wait named in prose: "try again in 28ms", "retry after 33 seconds", "Please wait 1m2s"; ms to days."""
    found = re.search(_ADVICE, message, re.IGNORECASE)
    return None if found is None else _sum(found["duration"])


def reset_duration(value: str) -> float | None:
    """The length of time in a reset header: `9ms`, `1s`, `6m0s`, `1h2m3.5s`, plain seconds; None for a moment."""
    text = value.strip()
    if (seconds := number(text)) is not None:
        return seconds if seconds < _FIRST_EPOCH else None
    return _sum(text) if re.fullmatch(_COMPOUND, text, re.IGNORECASE) else None


def reset_at(value: str, *, now: float | None) -> float | None:
    """The moment in a reset header, in Unix seconds: told in seconds, milliseconds, as ISO date, or from `now` on."""
    text = value.strip()
    seconds = number(text)
    if seconds is not None and seconds >= _FIRST_EPOCH:
        return seconds / 1000 if seconds >= _FIRST_EPOCH_MS else seconds
    duration = reset_duration(text)
    if duration is not None:
        return None if now is None else now + duration
    return _iso_date(text)


def exhausted_delay(headers: Mapping[str, str], *, now: float | None) -> float | None:
    """Seconds until the used-up window resets, None where no window is used up or its reset is not told.

    A window is used up when `x-ratelimit-remaining-*` is 0 or `x-…-used-percent` at least 100; of several, the last to
    reset counts. `x-codex-active-limit` names the family that was hit: then other families do not count.
    """
    lowered = lower_names(headers)
    delays = [_delay(reset, now) for reset in (*_exhausted_counts(lowered), *_exhausted_percents(lowered))]
    return max((delay for delay in delays if delay is not None), default=None)


def within_renewal(reset: str, renewal: str) -> str:
    """The reset as told, in milliseconds where it is longer than the window: Azure says 500 for 1 of 120 per 60 s."""
    seconds, length = number(reset), number(renewal)
    return f"{reset.strip()}ms" if seconds and length and length < seconds < _FIRST_EPOCH else reset


def number(text: str) -> float | None:
    """A plain decimal number, not negative; None for anything else, such as `1e3`, `inf` or `1_000`."""
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _exhausted_counts(headers: Mapping[str, str]) -> list[str]:
    """The reset values of the counted windows with nothing left."""
    resets: list[str] = []
    for name, value in headers.items():
        kind, found, rest = name.partition("ratelimit-remaining")
        if found and kind in ("", "x-") and number(value) == 0:
            reset = headers.get(f"{kind}ratelimit-reset{rest}", "")
            resets.append(within_renewal(reset, headers.get(f"{kind}ratelimit-renewalperiod{rest}", "")))
    return resets


def _exhausted_percents(headers: Mapping[str, str]) -> list[str]:
    """The reset values of the windows at 100 percent; the relative form first, as it needs no right local clock."""
    resets: list[str] = []
    family = _active_family(headers)
    for name, value in headers.items():
        window = name.removesuffix("-used-percent")
        used = number(value)
        if window == name or not window.startswith(family) or used is None or used < 100:
            continue
        resets.append(headers.get(f"{window}-reset-after-seconds") or headers.get(f"{window}-reset-at", ""))
    return resets


def _active_family(headers: Mapping[str, str]) -> str:
    """The prefix of the family that was hit, "" where none is named or the named one tells no window."""
    active = headers.get("x-codex-active-limit", "").strip().lower().replace("_", "-")
    prefix = f"x-{active}-primary-"
    return prefix.removesuffix("primary-") if any(name.startswith(prefix) for name in headers) else ""


def _delay(value: str, now: float | None) -> float | None:
    duration = reset_duration(value)
    if duration is not None or now is None:
        return duration
    moment = reset_at(value, now=now)
    return None if moment is None else max(0.0, moment - now)


def _sum(text: str) -> float:
    """The parts of a compound duration, added up."""
    parts = re.finditer(_PART, text, re.IGNORECASE)
    return sum(float(part["number"]) * _MILLISECONDS[part.lastgroup or "s"] for part in parts) / 1000


def _http_date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return _unix(moment)


def _iso_date(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _unix(moment)


def _unix(moment: datetime) -> float:
    """A date without a zone is UTC: RFC 9110 says so of HTTP dates, and local time would be a guess."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
