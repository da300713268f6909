"""Blanks what looks like a credential in text that may leave the program: server messages, bodies, URLs, header values.

A safety net, not a licence: our own texts are written without credentials. It exists because servers echo them
("Incorrect API key provided: sk-…"). Where it is in doubt it blanks.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_BLANK = "***"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

KEY_PREFIXES: tuple[str, ...] = (
    r"(?:sk|rk|pk|ek|sess|xai|pplx|csk|nvapi|glpat)[-_]",
    r"(?:gsk|hf|fw|r8|rt|gh[oprsu]|github_pat|tgp_v1)_",
    r"AIza",
    r"ya29\.",
    r"AKIA",
    r"ASIA(?=[A-Z0-9*])",  # and not ASIA-Pacific
    # OpenAI's personal access tokens start `at-`, as do words ("at-least-once"): ask for a digit and some length.
    r"at-(?=[A-Za-z_-]{0,40}[0-9])(?=[A-Za-z0-9_-]{16})",
)
"""How keys and tokens begin, by issuer: patterns without groups. The one list, for messages here and for recordings.

How much must follow is for the reader to say: in a message a short key is blanked too, in a recording a tool whose name
is `rt_search` stays."""

# The tails allow `*`, because servers mask the middle and leave both ends.
_PREFIXED_KEY = re.compile(rf"(?<![A-Za-z0-9])(?P<prefix>{'|'.join(KEY_PREFIXES)})[A-Za-z0-9_*.~+/=-]{{6,}}")
# `eyJ` is base64url for `{"`: the start of every JWT part. A cut-off one has no dots yet.
_JWT = re.compile(r"(?<![A-Za-z0-9])(?P<prefix>eyJ)[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}")
# "Bearer" is also prose ("using Bearer auth") and a challenge (`Bearer realm="…"`).
_SCHEME = re.compile(
    r"(?P<prefix>\b(?:bearer|agentassertion)\s{1,4})"
    r"(?!(?:auth|authentication|authorization|token|tokens|scheme|header|credentials?|prefix|format|realm|error|scope)\b)"
    r"[A-Za-z0-9_*.~+/=-]{6,}",
    re.IGNORECASE,
)
# "Basic" is prose more often than not: base64 that is no word has a capital, a digit or padding behind its start.
_BASIC = re.compile(r"(?P<prefix>\b[Bb]asic\s{1,4})(?=[A-Za-z+/]{1,400}[A-Z0-9=]|[0-9])[A-Za-z0-9+/=]{8,}")
# A name that promises a secret, then a value: JSON members, query parameters, header lines, "API key provided: …".
_NAMED = re.compile(
    r"(?P<prefix>(?<![A-Za-z0-9])(?:api[-_ ]?key|subscription[-_]?key|(?:access|refresh|id)[-_]?token|client[-_]?secret"
    r"|password|authorization)"
    r"(?:\s(?:provided|is))?\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?)"
    r"(?!(?:bearer|basic|agentassertion)\s)[^\s\"'\\,;&<>()]{3,}[^\s\"'\\,;&<>().]",
    re.IGNORECASE,
)
_PATTERNS = (_PREFIXED_KEY, _JWT, _SCHEME, _BASIC, _NAMED)


def mask_secrets(text: str) -> str:
    """The text with every key, token, JWT and authorization value replaced by `***`, its telling prefix kept.

    Idempotent. Linear in the text: every repetition in the patterns is bounded or ends at a fixed set of characters.
    """
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<prefix>{_BLANK}", text)
    return text


def excerpt(text: str, limit: int = 300) -> str:
    """The beginning of the text on one line: masked, whitespace and control characters folded, "…" where it was cut."""
    # Mask before cutting: half a key is still most of a key. Cut roughly first, so that a huge body costs little.
    masked = mask_secrets(text[: limit * 8])
    line = " ".join("".join(char if char.isprintable() else " " for char in masked).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def masked_email(email: str) -> str:
    """Enough to tell one's own accounts apart: "a…@example.com"."""
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}…@{domain}" if name else "…"


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent there: https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


def safe_url(url: str) -> str:
    """The URL without user, password, query and fragment: those may hold keys."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return mask_secrets(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))
