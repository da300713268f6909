"""The library's advice in the words of the command line: its texts are written for who calls it from Python."""

from __future__ import annotations

import re

from codex_client import settings

# What has no option is left out where something else is advised beside it.
_WORDS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"name one, such as connect\(.+?\) or Prompt\(.+?\), or set", "name one by --model, or set"),
        (
            r"\. For Azure pass azure_provider\(…\), for another server base_url= .*",
            "; for another server give --base-url",
        ),
        (r",? or (?:pass|give the key as) auth=(?:StaticAuth\(key\))?", ""),
        (r"`Prompt\.max_output_tokens`", "--max-output-tokens"),
        (r"; its models are better given `for_limit\(.+?\)`", ""),
        (r"\bbase_url\b", "base URL"),
        (r"use query_params", "leave it out"),
        (r"use auth or env_key", f"set {settings.API_KEY.name}"),
        (r"use OAuthClient\(OAuthIssuer\(url=.+?\)\)", f"set {settings.ISSUER.name} to theirs, or log in anew"),
        (r"unknown wire_api", "unknown API"),
        (r"raise `RetryPolicy\.\w+`", "give more --retries"),
        (r"GuardPolicy\(\w+=False\)", "--no-guards"),
        (r"`strict_parameters`", "--strict"),
        (r",? or give the client a `catalogue`[^;]*", ""),
        (r"`wire_api`", "--wire-api"),
        (r"; what came before it is on `\.partial`", ""),
        (r"raise `Timeouts\.\w+` or |,? or raise `Timeouts\.\w+`", ""),
        (r", or (?:drop|skip) [\w ]+`StreamLimits\.\w+`", ""),
        (r"raise `StreamLimits\.\w+`", "look at what answers there"),
    )
)


def in_command_words(text: str) -> str:
    """A text of an error or a warning, in which arguments of Python are options or nothing."""
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return text
