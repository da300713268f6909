"""The headers of one attempt: who adds what, in which order, and which of it is secret."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from urllib.parse import quote

from codex_client.api import Lease
from codex_client.client.config import ClientConfig
from codex_client.client.content_encoding import ACCEPTED
from codex_client.errors import ConfigurationError
from codex_client.masking import mask_secrets
from codex_client.version import __version__

# RFC 9110, 5.1 and 5.5: a name is a token, a value visible characters, spaces and tabs.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
# A turn's state is opaque, and who has it may speak for the session.
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password|signature|turn-state", re.IGNORECASE)
# Anything shorter is no secret, and blanking it would tear holes into ordinary words.
_MIN_SECRET_CHARS = 8
_BLANK = "***"


def request_headers(
    config: ClientConfig,
    lease: Lease,
    *,
    client_request_id: str,
    environ: Mapping[str, str],
    conversation_id: str | None = None,
    of_turn: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers, with lower-case names and values that HTTP can carry.

    Who comes later wins: the defaults, the profile, `of_turn`, the provider, the provider's environment variables,
    `extra_headers`, the customizer, the credential. The conversation's id goes out under both generations of names that
    codex servers read: `conversation_id` and `session_id` (2025), `session-id` and `thread-id` (2026). Raises
    `ConfigurationError` for a header that HTTP cannot carry; it names the header, never the value.
    """
    headers = _defaults(conversation_id, client_request_id)
    provider = config.provider
    from_environment = {name: environ.get(variable, "") for name, variable in provider.env_http_headers.items()}
    configured = (provider.backend.headers, of_turn or {}, provider.http_headers, _not_blank(from_environment))
    for layer in (*configured, config.extra_headers):
        headers |= _lower(layer)
    if config.customizer is not None:
        config.customizer.customize(headers)
        headers = _lower(headers)
    headers |= _lower(lease.headers)
    return {name: _checked(name, value) for name, value in headers.items()}


def secret_values(headers: Mapping[str, str], query: Mapping[str, str], lease: Lease) -> list[str]:
    """What must not come back in an error's text, longest first.

    That is the credential, and headers and query parameters with a telling name, as they are and as JSON and URLs may
    write them.
    """
    named = [value for source in (headers, query) for name, value in source.items() if _SECRET_NAME.search(name)]
    values = {value.strip() for value in (*named, *lease.headers.values())}
    # "Bearer abc": a server that echoes the key leaves the scheme out.
    values |= {value.rpartition(" ")[2] for value in values}
    values |= {value.replace("/", r"\/") for value in values} | {quote(value, safe="") for value in values}
    return sorted(
        (value for value in values if len(value) >= _MIN_SECRET_CHARS), key=lambda value: (-len(value), value)
    )


def blank_secrets(text: str, secrets: list[str]) -> str:
    """The text without these values."""
    for secret in secrets:
        text = text.replace(secret, _BLANK)
    return text


def blank_cut_secret(text: str, secrets: list[str]) -> str:
    """A text that was cut off somewhere, without the beginning of a secret at its end."""
    # The cut may have gone through a character.
    text = text.rstrip("\N{REPLACEMENT CHARACTER}")
    kept = max((_overlap(text, secret) for secret in secrets), default=0)
    return text[: len(text) - kept] + _BLANK if kept else text


def _overlap(text: str, secret: str) -> int:
    """How many characters at the end of the text are the beginning of the secret, but not all of it."""
    return next((count for count in range(len(secret) - 1, 0, -1) if text.endswith(secret[:count])), 0)


def _defaults(conversation_id: str | None, client_request_id: str) -> dict[str, str]:
    headers = {
        "accept": "text/event-stream",
        "accept-encoding": ACCEPTED,
        "content-type": "application/json",
        "user-agent": user_agent(),
        "x-client-request-id": client_request_id,
    }
    if conversation_id:
        names = ("conversation_id", "session_id", "session-id", "thread-id")
        headers |= dict.fromkeys(names, conversation_id)
    return headers


def user_agent() -> str:
    """What this library calls itself: its name and version, Python's, and the system."""
    return f"codex_client/{__version__} (python {'.'.join(map(str, sys.version_info[:3]))}; {sys.platform})"


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _not_blank(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if value.strip()}


def _checked(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{mask_secrets(name)!r} is no name for an HTTP header; use letters, digits and hyphens"
        )
    # Blanks around a value are not part of it. A line end is no blank: it is refused, as what mostly is a key read from
    # a file.
    value = value.strip(" \t")
    bad = _BAD_VALUE.search(value)
    if bad is not None:
        raise ConfigurationError(
            f"the value of header {name!r} has a character that HTTP cannot carry ({bad[0]!a}); "
            "remove line ends, control characters and anything outside Latin-1"
        )
    return value
