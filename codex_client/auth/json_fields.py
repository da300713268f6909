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
