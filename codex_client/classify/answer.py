"""An HTTP answer with an error status, read: JSON of any shape, a page, plain text, nothing, reasons in headers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from codex_client.classify.failure import ServerFailure, parse_failure
from codex_client.classify.meaning import BLOCKED, USAGE_LIMIT, Meaning
from codex_client.classify.table import meaning_of
from codex_client.errors.status import REQUEST_ID_HEADERS
from codex_client.masking import excerpt
from codex_client.retry_advice import exhausted_delay, header_delay

_PAGE = re.compile(r"\s{0,200}(?:<!doctype html|<html|<head|<!--\[if)", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,300})", re.IGNORECASE)
_CHALLENGES = ("just a moment", "attention required", "challenge-platform")


@dataclass(frozen=True)
class Answer:
    """`headers` with lower-case names; `body` may have been cut off; `now` in Unix seconds."""

    status: int
    body: str
    headers: Mapping[str, str]
    now: float

    @cached_property
    def is_page(self) -> bool:
        """Whether the body is HTML, whatever its content type says."""
        if _PAGE.match(self.body):
            return True
        return "html" in self.headers.get("content-type", "").lower() and self.body.lstrip().startswith("<")

    @cached_property
    def failure(self) -> ServerFailure:
        """What the body says; on 401 and 403 the ChatGPT backend gives the reason in headers, whatever the body is."""
        failure = self._title() if self.is_page else parse_failure(_loaded(self.body), now=self.now)
        if self.status not in (401, 403):
            return failure
        told = parse_failure(_decoded(self.headers.get("x-error-json", "")))
        reason = parse_failure(self.headers.get("x-openai-authorization-error"))
        return replace(
            failure,
            code=failure.code or told.code,
            error_type=failure.error_type or told.error_type,
            message=failure.message or told.message or reason.message,
        )

    @cached_property
    def meaning(self) -> Meaning:
        return BLOCKED if self._is_blocked() else meaning_of(self.failure, self.status)

    @cached_property
    def retry_after(self) -> float | None:
        """Headers first, then the used-up window, then the body; a usage limit's own reset before any window."""
        delay = header_delay(self.headers, now=self.now)
        # Of several used-up windows it alone knows which one was hit.
        if delay is None and self.meaning is USAGE_LIMIT and self.failure.in_structure:
            delay = self.failure.retry_after
        # Every answer carries its windows; only a 429 says that one of them was the reason.
        if delay is None and self.status == 429:
            delay = exhausted_delay(self.headers, now=self.now)
        return self.failure.retry_after if delay is None else delay

    @property
    def request_id(self) -> str | None:
        return next((told for name in REQUEST_ID_HEADERS if (told := self.told(name))), None)

    def told(self, name: str) -> str | None:
        """A header's text, fit to be shown."""
        return excerpt(self.headers.get(name, ""), 200) or None

    def _title(self) -> ServerFailure:
        found = _TITLE.search(self.body)
        return parse_failure(" ".join(found[1].split()) if found else None)

    def _is_blocked(self) -> bool:
        """Whether the network in front of the API refused.

        The API itself never answers 403 with a page. A page with 429 or 503 counts where it is Cloudflare's own: a
        challenge, or its block of an address. `cf-mitigated` says so itself.
        """
        if self.status not in (403, 429, 503):
            return False
        if "cf-mitigated" in self.headers:
            return True
        page = self.body.lower() if self.is_page else ""
        if self.status == 403:
            return bool(page)
        return any(text in page for text in _CHALLENGES) or ("cf-ray" in self.headers and "cloudflare" in page)


def _loaded(body: str) -> Any:
    """The body's JSON value, the text itself where it is none. Some servers put the error into an SSE frame."""
    text = body.strip("\ufeff \t\r\n")
    if text.startswith("data:"):
        text = text.removeprefix("data:").split("\n", 1)[0].strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _decoded(header: str) -> Any:
    """`x-error-json`: base64 of a JSON object."""
    try:
        return json.loads(base64.b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, RecursionError):
        return None
