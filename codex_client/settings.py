"""Every environment variable that steers the library, in one place. The table in docs/configuration.md is made of it.

Not in it: the key variables of the other providers, which are data of theirs, and those of the system (proxies,
certificates, displays).

`python -m codex_client.settings` prints that table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: what it sets, the argument that wins over it, and what holds without both.

    `numbered`: `NAME` may also be written with a number behind its prefix, `CODEX_1_ACCESS_TOKEN`, for one more account
    each.
    """

    name: str
    meaning: str
    argument: str
    without: str
    numbered: bool = False

    def read(self, environ: Mapping[str, str] | None = None) -> str | None:
        """Its value now, without blanks at the ends; a blank one counts as unset."""
        return (os.environ if environ is None else environ).get(self.name, "").strip() or None

    def is_blank(self, environ: Mapping[str, str] | None = None) -> bool:
        """Whether it is there and holds nothing: what was to be put into it is missing."""
        environ = os.environ if environ is None else environ
        return self.name in environ and self.read(environ) is None

    def is_set(self, environ: Mapping[str, str] | None = None) -> bool:
        """Whether it has a value, with a number or without one where it may have one."""
        environ = os.environ if environ is None else environ
        first, _, rest = self.name.partition("_")
        written = rf"{first}_(?:[0-9]{{1,4}}_)?{rest}" if self.numbered else self.name
        return any(value.strip() and re.fullmatch(written, name) for name, value in environ.items())


MODEL = Variable("CODEX_CLIENT_MODEL", "the model", "`model`", "each prompt names its own")
PROVIDER = Variable(
    "CODEX_CLIENT_PROVIDER",
    "the provider's name",
    "`provider`",
    "`openai`, or a server named by its address alone where a base URL is given",
)
BASE_URL = Variable("CODEX_CLIENT_BASE_URL", "the server's address", "`base_url`", "the provider's")
OPENAI_BASE_URL = Variable(
    "OPENAI_BASE_URL",
    "the same, for the provider `openai` only, after `CODEX_CLIENT_BASE_URL`",
    "`base_url`",
    "the provider's",
)
WIRE_API = Variable("CODEX_CLIENT_WIRE_API", "`responses` or `chat`", "`wire_api`", "the provider's")
API_KEY = Variable("CODEX_CLIENT_API_KEY", "the key or token", "`auth`", "the provider's own key variable")
OPENAI_API_KEY = Variable(
    "OPENAI_API_KEY",
    "the key for the provider `openai`, and for a server named by its address alone",
    "`auth`",
    "`MissingCredentialsError` for the provider `openai`; no key for a server named by its address alone",
)
OPENAI_ORGANIZATION = Variable(
    "OPENAI_ORGANIZATION", "for the provider `openai` only", "`extra_headers`", "no `openai-organization` header"
)
OPENAI_PROJECT = Variable(
    "OPENAI_PROJECT", "for the provider `openai` only", "`extra_headers`", "no `openai-project` header"
)
STORE = Variable(
    "CODEX_CLIENT_STORE",
    "where logins are kept: `file`, `keyring`, or the URL of a Redis server",
    "`auth`",
    "`file`",
)
HOME = Variable(
    "CODEX_CLIENT_HOME", "the folder of the files of `file`", "`auth`", "the system's folder for a user's configuration"
)
ISSUER = Variable("CODEX_CLIENT_ISSUER", "the address of who issues the tokens", "`auth`", "`https://auth.openai.com`")
GATEWAY_KEY = Variable(
    "CODEX_CLIENT_GATEWAY_KEY",
    "the key that callers show to `codex-client serve`",
    "`--key`",
    "no key, and callers on this machine only",
)
CODEX_HOME = Variable("CODEX_HOME", "the folder of codex's `auth.json`, to import from", "`home`", "`~/.codex`")
ACCESS_TOKEN = Variable(
    "CODEX_ACCESS_TOKEN", "the access token of a ChatGPT account", "`auth`", "the accounts that are logged in", True
)
REFRESH_TOKEN = Variable(
    "CODEX_REFRESH_TOKEN", "what it is renewed with", "`auth`", "the access token is used until it expires", True
)
ID_TOKEN = Variable("CODEX_ID_TOKEN", "tells whose account it is", "`auth`", "the access token's claims tell", True)
ACCOUNT_ID = Variable(
    "CODEX_ACCOUNT_ID", "the ChatGPT workspace, where no token tells it", "`auth`", "the tokens' claims tell", True
)

VARIABLES = tuple(value for value in list(globals().values()) if isinstance(value, Variable))


def table() -> str:
    """The variables as a Markdown table."""
    lines = ["| Variable | Meaning | Argument | Without both |", "|---|---|---|---|"]
    lines += [f"| `{each.name}` | {each.meaning} | {each.argument} | {each.without} |" for each in VARIABLES]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
