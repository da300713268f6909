"""What of a refused payload may be left out, so that the rest of it is served.

Servers change what they take, and models differ in it. A 400 that names the fault is answered by the same request
without it, but only where its meaning stays (`is_protected`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from codex_client.backend_profile import is_protected
from codex_client.classify.texts import refused_parameter
from codex_client.errors import InvalidRequestError
from codex_client.payload.paths import is_at, set_at, take_at, value_at

AmendmentKind: TypeAlias = Literal["parameter", "value", "encrypted_content"]

# These steer how words are chosen; without them the model's own settings hold.
_SAMPLING = frozenset(
    {
        "frequency_penalty",
        "min_p",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "temperature",
        "top_k",
        "top_p",
    }
)
_VERBOSITIES = ("text.verbosity", "verbosity")
# The one value that every model is known to take.
_TAKEN_VERBOSITY = "medium"
# The same limit under the name that the server asks for.
_OTHER_NAMES = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}

# `extra_forbidden` is FastAPI's word, as of Mistral and vLLM.
_PARAMETER_CODES = frozenset({"unsupported_parameter", "unknown_parameter", "extra_forbidden"})
_VALUE_TEXT = re.compile(r"\s*unsupported value\b", re.IGNORECASE)
_SEAL_TEXT = re.compile(r"encrypted content\b.{0,200}\bcould not be (?:verified|decrypted)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Amendment:
    """One change to a payload. `value` is put in the place of what stood at `path`, `name` is the path's new name;
    with neither it is left out.
    """

    kind: AmendmentKind
    path: str = ""
    value: str | None = None
    name: str | None = None

    def amend(self, payload: dict[str, Any]) -> bool:
        """Change the payload; whether there was anything to change."""
        if self.kind == "encrypted_content":
            return _drop_seals(payload)
        if not is_at(payload, self.path) or (self.value is not None and value_at(payload, self.path) == self.value):
            return False
        if self.value is not None:
            set_at(payload, self.path, self.value)
            return True
        taken = take_at(payload, self.path)
        if self.name is not None:
            payload[self.name] = taken
        return True

    @property
    def fault(self) -> str:
        """Which field was refused, in words."""
        return f"the parameter {self.path!r}" if self.kind == "parameter" else f"the value of {self.path!r}"

    @property
    def remedy(self) -> str:
        """What is done instead, in words."""
        if self.value is not None:
            return f"sent as {self.value!r}"
        return f"sent as {self.name!r}" if self.name else "left out"


def find_amendment(error: InvalidRequestError, payload: dict[str, Any]) -> Amendment | None:
    """What would make this payload acceptable to the server that answered it so; None where nothing of it may go.

    The payload is left as it is.
    """
    if error.status not in (400, 422):
        return None
    amendment = _amendment(error)
    if amendment is None or not _can_amend(amendment, payload):
        return None
    return amendment


def _can_amend(amendment: Amendment, payload: dict[str, Any]) -> bool:
    return amendment.amend(_copied(payload))


def _copied(payload: dict[str, Any]) -> dict[str, Any]:
    """A payload that can be amended: its objects are copied, what is in its lists is not."""
    return {
        key: _copied(cast("dict[str, Any]", field)) if isinstance(field, dict) else field
        for key, field in payload.items()
    }


def _amendment(error: InvalidRequestError) -> Amendment | None:
    code, text = (error.code or "").lower(), error.server_message or ""
    if code == "invalid_encrypted_content" or _SEAL_TEXT.search(text):
        return Amendment("encrypted_content")
    path = (error.param or "").removeprefix("body.")
    if not path or is_protected(path):
        return None
    if code == "unsupported_value" or _VALUE_TEXT.match(text):
        return _other_value(path)
    if code in _PARAMETER_CODES or error.error_type in _PARAMETER_CODES or refused_parameter(text):
        other = _OTHER_NAMES.get(path)
        return Amendment("parameter", path, name=other if other and f"'{other}'" in text else None)
    return None


def _other_value(path: str) -> Amendment | None:
    if path in _VERBOSITIES:
        return Amendment("value", path, value=_TAKEN_VERBOSITY)
    return Amendment("value", path) if path in _SAMPLING else None


def _drop_seals(payload: dict[str, Any]) -> bool:
    """Leave out all encrypted reasoning, with its summary, which would stand alone. Raw text stays."""
    items: Any = payload.get("input")
    if not isinstance(items, list):
        return False
    given = cast("list[Any]", items)
    kept = [left for item in given if (left := _unsealed(item)) is not None]
    changed = len(kept) != len(given) or any(before is not after for before, after in zip(given, kept, strict=True))
    if changed:
        payload["input"] = kept
    return changed


def _unsealed(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    fields = cast("dict[str, Any]", item)
    if fields.get("type") != "reasoning" or not fields.get("encrypted_content"):
        return fields
    if not fields.get("content"):
        return None
    return {**{key: field for key, field in fields.items() if key != "encrypted_content"}, "summary": []}
