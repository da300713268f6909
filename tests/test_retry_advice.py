"""How long to wait, in every form that servers use."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from codex_client.retry_advice import (
    exhausted_delay,
    header_delay,
    lower_names,
    number,
    reset_at,
    reset_duration,
    text_delay,
    within_renewal,
)

NOW = 1_773_000_000.0


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"Retry-After": " 20 "}, 20.0),
        ({"RETRY-AFTER": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": ".5"}, 0.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "28.5"}, 0.0285),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "0", "retry-after": "1"}, 1.0),
        ({"retry-after-ms": "0"}, 0.0),
        ({"retry-after-ms": "-5", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "9" * 16}, None),
        ({"retry-after": "Sun, 08 Mar 2026 20:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 08 Mar 2026 20:00:30 -0000"}, 30.0),
        ({"retry-after": "Sun, 08 Mar 2026 21:00:30 +0100"}, 30.0),
        ({"retry-after": "Sun, 08 Mar 2026 19:00:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 08 Mar 20266666 19:00:00 GMT"}, None),
    ],
)
def test_a_header_tells_seconds_milliseconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert header_delay(headers, now=NOW) == seconds


def test_a_date_says_nothing_without_a_clock() -> None:
    assert header_delay({"retry-after": "Sun, 08 Mar 2026 20:00:30 GMT"}, now=None) is None
    assert header_delay({"retry-after": "3"}, now=None) == 3.0


@pytest.mark.parametrize(
    "message, seconds",
    [
        ("Please try again in 28ms.", 0.028),
        ("Please try again in 14.036s.", 14.036),
        ("Please try again in 1.898s. Visit https://…", 1.898),
        ("Rate limit is exceeded. Try again in 17 seconds.", 17.0),
        ("try again in 3 seconds", 3.0),
        ("TRY AGAIN IN 35 SECONDS", 35.0),
        ("try again in 1 second", 1.0),
        ("try again in 1m2s", 62.0),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 1h2m3.5s", 3723.5),
        ("try again in 1 hour, 2 minutes and 3 seconds", 3723.0),
        ("try again in 2 days", 172_800.0),
        ("... Please retry after 33 seconds. ...", 33.0),
        ("Please retry in 48.939935699s.", 48.939935699),
        ("please wait 12 seconds", 12.0),
        ("please wait for 500 milliseconds", 0.5),
        ("try again in 5 mins", 300.0),
        ("Limit 250000, Used 250000, Requested 58487. Please try again in 14.036s.", 14.036),
        ("try again in a moment", None),
        ("try again at 3:06 AM", None),
        ("try again in 5 months", None),
        ("try again in 5", None),
        ("retry after -3 seconds", None),
        ("retrying in 5s", None),
        ("wait until 10 seconds have passed", None),
        ("", None),
    ],
)
def test_a_text_tells_a_duration(message: str, seconds: float | None) -> None:
    assert text_delay(message) == seconds


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("9ms", 0.009),
        ("1s", 1.0),
        ("0s", 0.0),
        ("9.9s", 9.9),
        ("6m0s", 360.0),
        ("9m9.9s", 549.9),
        ("1h2m3.5s", 3723.5),
        ("2d", 172_800.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("0.25", 0.25),
        ("-1", None),
        ("-5s", None),
        ("", None),
        ("abc", None),
        ("5x", None),
        ("1773860656", None),
    ],
)
def test_a_reset_header_tells_a_length_of_time(value: str, seconds: float | None) -> None:
    assert reset_duration(value) == seconds


@pytest.mark.parametrize(
    "value, moment",
    [
        ("1773860656", 1_773_860_656.0),
        ("1773860656.5", 1_773_860_656.5),
        ("1773860656123", 1_773_860_656.123),
        ("2025-10-01T00:00:00Z", 1_759_276_800.0),
        ("2025-10-01T02:00:00+02:00", 1_759_276_800.0),
        ("2025-10-01T00:00:00", 1_759_276_800.0),
        ("6m0s", NOW + 360),
        ("60", NOW + 60),
        ("-1", None),
        ("", None),
        ("later", None),
    ],
)
def test_a_reset_header_tells_a_moment(value: str, moment: float | None) -> None:
    assert reset_at(value, now=NOW) == moment


def test_a_duration_is_no_moment_without_a_clock() -> None:
    assert reset_at("6m0s", now=None) is None
    assert reset_at("1773860656", now=None) == 1_773_860_656.0


@pytest.fixture
def a_zone_west_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ+5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("a_zone_west_of_greenwich")
def test_a_date_without_a_zone_is_not_local_time() -> None:
    assert header_delay({"retry-after": "Sun, 08 Mar 2026 20:00:30 -0000"}, now=NOW) == 30.0
    assert reset_at("2025-10-01T00:00:00", now=NOW) == 1_759_276_800.0


CODEX = {
    "x-codex-primary-used-percent": "100",
    "x-codex-primary-reset-after-seconds": "471285",
    "x-codex-primary-reset-at": "1773860656",
    "x-codex-secondary-used-percent": "0",
    "x-codex-secondary-reset-after-seconds": "0",
    "x-codex-secondary-reset-at": "",
}


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"X-RateLimit-Remaining-Tokens": "0", "X-RateLimit-Reset-Tokens": "9ms"}, 0.009),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "6m0s"}, None),
        ({"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"}, None),
        ({"x-ratelimit-remaining-tokens": "0"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "-1"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1773000060000"}, 60.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1772999999"}, 0.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "5"}, 5.0),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "500",
                "x-ratelimit-renewalperiod-requests": "60",
            },
            0.5,
        ),
        ({"llm_provider-x-ratelimit-remaining": "0", "llm_provider-x-ratelimit-reset": "5"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "1m0s",
                "x-ratelimit-remaining-images": "5",
                "x-ratelimit-reset-images": "1h",
            },
            60.0,
        ),
        (CODEX, 471_285.0),
        ({**CODEX, "x-codex-primary-reset-after-seconds": ""}, 1_773_860_656 - NOW),
        ({**CODEX, "x-codex-primary-used-percent": "99"}, None),
        ({**CODEX, "x-codex-primary-used-percent": "much"}, None),
        ({**CODEX, "x-codex-active-limit": "codex"}, 471_285.0),
        ({**CODEX, "x-codex-active-limit": "unheard_of"}, 471_285.0),
        (
            {
                **CODEX,
                "x-codex-active-limit": "codex_other",
                "x-codex-other-primary-used-percent": "100",
                "x-codex-other-primary-reset-after-seconds": "60",
            },
            60.0,
        ),
    ],
)
def test_only_the_exhausted_window_is_waited_for(headers: dict[str, str], seconds: float | None) -> None:
    assert exhausted_delay(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    "reset, renewal, text",
    [
        ("500", "60", "500ms"),
        (" 61 ", "60", "61ms"),
        ("60", "60", "60"),
        ("500", "0", "500"),
        ("500", "", "500"),
        ("6m0s", "60", "6m0s"),
        ("1773860656", "60", "1773860656"),
    ],
)
def test_a_reset_beyond_the_renewal_of_its_window_counts_milliseconds(reset: str, renewal: str, text: str) -> None:
    assert within_renewal(reset, renewal) == text


def test_without_a_clock_only_relative_resets_count() -> None:
    assert exhausted_delay(CODEX, now=None) == 471_285.0
    assert exhausted_delay({**CODEX, "x-codex-primary-reset-after-seconds": ""}, now=None) is None


def test_names_are_lowered_and_values_kept() -> None:
    assert lower_names({"Retry-After": "X"}) == {"retry-after": "X"}


@pytest.mark.parametrize("text", ["1e3", "0x10", "1,5", "+1", "١", "1 2", "."])
def test_only_plain_decimal_numbers_are_numbers(text: str) -> None:
    assert number(text) is None


READERS: list[Callable[[str], object]] = [
    text_delay,
    reset_duration,
    lambda text: reset_at(text, now=NOW),
    lambda text: header_delay({"retry-after": text, "retry-after-ms": text}, now=NOW),
    lambda text: exhausted_delay(
        {
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": text,
            "x-codex-primary-used-percent": "100",
            "x-codex-primary-reset-at": text,
            "x-codex-active-limit": text,
        },
        now=NOW,
    ),
]
WORDS = st.sampled_from(
    [
        "try again in ",
        "retry after ",
        "1",
        "99999999999999",
        ".",
        "-",
        "s",
        "ms",
        "h",
        "days",
        "T",
        ":",
        "Z",
        "+",
        " ",
        "Mon, ",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(WORDS).map("".join), st.datetimes().map(str), st.floats().map(str))


@given(TEXTS)
def test_no_text_raises_and_no_wait_is_negative_or_endless(text: str) -> None:
    for read in READERS:
        seconds = read(text)
        assert seconds is None or (isinstance(seconds, float) and 0 <= seconds < 1e18) or read is READERS[2]


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_a_compound_duration_adds_up(hours: int, minutes: int, seconds: int) -> None:
    total = float(hours * 3600 + minutes * 60 + seconds)
    assert reset_duration(f"{hours}h{minutes}m{seconds}s") == total
    assert text_delay(f"try again in {hours}h{minutes}m{seconds}s") == total
    assert text_delay(f"retry after {hours} hours, {minutes} minutes, {seconds} seconds") == total


@pytest.mark.parametrize(
    "piece, seconds",
    [("1", None), ("try again in ", None), ("try again in 1s ", 1.0), (" ", None), ("1m", 360.0), ("wait ", None)],
)
def test_a_huge_message_is_read_in_linear_time(piece: str, seconds: float | None) -> None:
    # Backtracking over this much would not end while anybody waits.
    text = "try again in " + piece * 50_000 + "!"
    assert text_delay(text) == seconds
    assert reset_duration(text) is None


def test_the_waits_named_in_public_issues_are_read(captures: Path) -> None:
    observed = json.loads((captures / "errors" / "observed_in_issues.json").read_text())
    waits = [text_delay(entry["message"]) for entry in observed if entry["kind"] == "message_pattern"]
    assert waits == [14.036, 17.0, 33.0]
