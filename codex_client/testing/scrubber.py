"""Takes credentials and personal data out of what is to be written down. Pure."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Sequence

from codex_client.masking import KEY_PREFIXES
from codex_client.testing.views import Span, base64_runs, unescaped_views

SCRUBBED = "[scrubbed]"

_SECRET_HEADERS = re.compile(
    r"(?ix) (.*-)? (authorization | cookie | api-?key | key | token | secret | password)"
    r"| chatgpt-account-id | openai-(organization | project) | x-codex-(turn-state | installation-id)"
)

# Credentials by their form: keys and tokens of the known issuers, and what follows `Bearer`.
_KEYS = rf"""(?x)
    (?<![A-Za-z0-9]) (?:
        (?:{"|".join(KEY_PREFIXES)}) (?=[A-Za-z0-9_.-]{{16}}) [A-Za-z0-9_-]++ (?: \.++ [A-Za-z0-9_-]++ )*+
      | eyJ[A-Za-z0-9_-]{{8,}}+ \. [A-Za-z0-9_-]{{8,}}+ (?: \. [A-Za-z0-9_-]*+ )?
      | [Bb]earer\ + [A-Za-z0-9._~+/=-]{{8,}}+
    )
"""

# Who it was: organisations, projects, users, e-mail addresses. The address begins where its run of characters begins,
# or a long run without an `@` would be searched once from each of its characters.
_PEOPLE = r"""(?x)
    (?<![A-Za-z0-9]) (?:org-|user-|acct[-_]|proj_) (?=[A-Za-z]*[0-9]) [A-Za-z0-9]{12,}+
  | (?<![A-Za-z0-9._%+-]) [A-Za-z0-9._%+-]{1,64}+ @ (?:[A-Za-z0-9-]{1,63}+\.)+ [A-Za-z]{2,}+
"""

_SECRET_NAMES = (
    "access_token|refresh_token|id_token|session_token|auth_token|api[-_]?key|apikey|client_secret|secret|password|passwd|"
    "authorization|cookie|code_verifier|device_code|user_code|account_id|chatgpt_account_id|chatgpt_user_id|chatgpt-account-id|"
    "organization_id|organization|org_id|project_id|user_id|safety_identifier|installation_id|email"
)
_JSON_FIELD = rf'(?i)"(?:{_SECRET_NAMES})"\s*:\s*"(?P<value>(?:[^"\\]|\\.)++)"'
_FORM_FIELD = rf"(?i)(?:^|[?&])(?:{_SECRET_NAMES}|code|key|token)=(?P<value>[^&\s\"'\\]++)"

_DEFAULT_PATTERNS = tuple(map(re.compile, (_KEYS, _PEOPLE, _JSON_FIELD, _FORM_FIELD)))

# Shorter values are ordinary words, and would be blanked wherever they occur.
_MIN_KNOWN_CHARS = 6

# Of a run of base64 only such stretches are searched for forms, for chance makes short ones of any bytes.
_PRINTABLE = re.compile(r"[\t\n\r\x20-\x7e]{12,}+")

# Base64 within JSON within base64 is as deep as real payloads go; one more for good measure.
_DEPTH = 4

Pairs = Sequence[tuple[str, str]]


class Scrubber:
    """Finds secrets and blanks them.

    It knows them in three ways: headers by their name, credentials and personal data by their form or by the field that
    holds them, and every value that a header of the same exchange has shown to be secret, wherever it turns up again.
    It finds them in plain text, URL-encoded, JSON-escaped and in base64, and in these one within the other.
    `extra_patterns` are blanked too (the group `value` of a pattern, if it has one, else the whole match);
    `extra_headers` are names of further secret headers.

    It does not find what is in pieces: a secret that a model repeats in several deltas, or that a body's end cuts.
    """

    def __init__(
        self, *, extra_patterns: Iterable[str | re.Pattern[str]] = (), extra_headers: Iterable[str] = ()
    ) -> None:
        self._patterns = [*_DEFAULT_PATTERNS, *(re.compile(pattern) for pattern in extra_patterns)]
        self._extra_headers = {name.lower() for name in extra_headers}

    def is_secret_header(self, name: str) -> bool:
        return name.lower() in self._extra_headers or _SECRET_HEADERS.fullmatch(name) is not None

    def secrets_of(self, headers: Pairs) -> frozenset[str]:
        """The values that these headers show to be secret, to be given to the other methods as `known`."""
        parts = [part for name, value in headers if self.is_secret_header(name) for part in _secret_parts(name, value)]
        return frozenset(part for part in parts if len(part) >= _MIN_KNOWN_CHARS)

    def scrub_headers(self, headers: Pairs, known: Iterable[str] = ()) -> list[tuple[str, str]]:
        """Secret headers lose their value, the others what is secret in it."""
        secrets = list(known)
        return [
            (name, SCRUBBED if self.is_secret_header(name) else self.scrub_text(value, secrets))
            for name, value in headers
        ]

    def scrub_text(self, text: str, known: Iterable[str] = ()) -> str:
        """The text, as long as before, with asterisks in place of what is secret. `known`: secrets of this exchange."""
        parts: list[str] = []
        at = 0
        for start, end in sorted(self._spans(text, list(known), _DEPTH)):
            if end > at:
                start = max(start, at)
                parts += (text[at:start], "*" * (end - start))
                at = end
        return "".join([*parts, text[at:]])

    def scrub_bytes(self, content: bytes, known: Iterable[str] = ()) -> bytes:
        """The same for bytes in UTF-8 or of unknown form; every byte keeps its place."""
        return self.scrub_text(content.decode("latin-1"), known).encode("latin-1")

    def _spans(self, text: str, known: list[str], depth: int) -> list[Span]:
        """Where the secrets are."""
        spans = [*self._by_form(text), *_by_value(text, known)]
        if depth:
            for view in unescaped_views(text):
                spans += [view.origin(span) for span in self._spans(view.text, known, depth - 1)]
            for span, decoded in base64_runs(text):
                if self._is_secret(decoded, known, depth - 1):
                    spans.append(span)
        return spans

    def _is_secret(self, decoded: str, known: list[str], depth: int) -> bool:
        """Whether there is a secret in what a run of base64 stands for."""
        if any(secret in decoded for secret in known):
            return True
        return any(self._spans(stretch, known, depth) for stretch in _PRINTABLE.findall(decoded))

    def _by_form(self, text: str) -> list[Span]:
        return [
            match.span("value" if "value" in pattern.groupindex else 0)
            for pattern in self._patterns
            for match in pattern.finditer(text)
        ]


def _by_value(text: str, known: list[str]) -> list[Span]:
    return [match.span() for secret in known for match in re.finditer(re.escape(secret), text)]


def _secret_parts(name: str, value: str) -> list[str]:
    """A header's value, and what of it may occur alone: the token behind its scheme, user and password, a cookie's
    value.
    """
    if name.lower().endswith("cookie"):
        # What follows the first pair of a `set-cookie` are its attributes.
        pairs = value.split(";")[: 1 if name.lower() == "set-cookie" else None]
        return [value, *(pair.partition("=")[2].strip() for pair in pairs)]
    scheme, _, credential = value.partition(" ")
    return [value, credential.strip(), *(_basic_parts(credential) if scheme.lower() == "basic" else ())]


def _basic_parts(credential: str) -> list[str]:
    try:
        return b64decode(credential, validate=True).decode("utf-8").split(":", 1)
    except ValueError:
        return []
