"""Reading members of JSON that nobody promised the shape of: the value where it is one, None where it is odd."""

from __future__ import annotations

from typing import Any, cast

from codex_client.retry_advice import number


def read_object(value: Any) -> dict[str, Any]:
    """Empty for what is no object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def read_text(value: Any) -> str | None:
    """Without the blanks around it; None where nothing is left."""
    return value.strip() or None if isinstance(value, str) else None


def read_seconds(value: Any) -> float | None:
    """A length of time above 0, from a number or from its text: issuers send both."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else read_text(value)
    return number(text or "") or None


def read_moment(value: Any) -> float | None:
    """Unix seconds, from seconds or milliseconds: some issuers and programs write the latter."""
    # Beyond the year 9999 in milliseconds it is no moment; so large an integer need not even fit a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 3e14:
        return None
    return value / 1000 if value > 1e12 else float(value)
