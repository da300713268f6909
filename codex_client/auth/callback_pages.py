"""What the browser shows at the end of a login: plain pages, without secrets and without anything to load."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Self

_HTML = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1rem }}</style>
</head>
<body><h1>{title}</h1><p>{text}</p></body>
</html>
"""
# The page's own address has the code in it: it must not be kept, nor told to anybody.
_HEADERS = (
    "content-type: text/html; charset=utf-8",
    "content-security-policy: default-src 'none'; style-src 'unsafe-inline'",
    "referrer-policy: no-referrer",
    "cache-control: no-store",
    "x-content-type-options: nosniff",
    "connection: close",
)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    status: int
    title: str
    text: str

    @classmethod
    def logged_in(cls) -> Self:
        return cls(200, "You are logged in", "You can close this window and go back to the program.")

    @classmethod
    def cancelled(cls) -> Self:
        return cls(200, "Login cancelled", "The program waits for this login no longer.")

    @classmethod
    def failed(cls, reason: str) -> Self:
        return cls(400, "The login failed", f"The program says: {reason}.")

    @classmethod
    def stray(cls) -> Self:
        return cls(
            400,
            "State mismatch",
            "This belongs to another login than the one that is under way. Use the address that was shown last.",
        )

    @classmethod
    def forbidden(cls) -> Self:
        return cls(403, "Not allowed", "Another web page cannot end this login.")

    @classmethod
    def not_found(cls) -> Self:
        return cls(404, "Nothing here", "This server only waits for the end of a login.")

    @classmethod
    def timed_out(cls) -> Self:
        return cls(408, "Too slow", "The request did not come in time.")

    @classmethod
    def refused(cls, status: int) -> Self:
        return cls(status, "Bad request", "This server could not read the request.")

    def encode(self) -> bytes:
        """The whole HTTP answer."""
        body = _HTML.format(title=escape(self.title), text=escape(self.text)).encode()
        status_line = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"
        return "\r\n".join([status_line, *_HEADERS, f"content-length: {len(body)}", "", ""]).encode() + body
