"""Who takes part, and where the code of each is. Nothing of a contender is imported before it is asked for."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from bench.contenders.base import Client, Setup


@dataclass(frozen=True)
class Contender:
    """`opener` is module:function under this package, `imports` what a program that uses it would import at its top,
    `counts` what the length of a reading is the number of: characters of text, or bytes of the body.
    """

    name: str
    opener: str
    imports: str
    counts: Literal["text", "bytes"] = "text"

    def open(self, setup: Setup) -> AbstractAsyncContextManager[Client]:
        """A client for this server, closed at the end of the block. Raises ImportError where a package is missing."""
        module, _, function = self.opener.partition(":")
        return getattr(import_module(f"bench.contenders.{module}"), function)(setup)


CODEX = "codex_client"
CODEX_AIOHTTP = "codex_client aiohttp"
FLOOR = "httpx bytes"
HTTPX_SSE = "httpx-sse json"
AIOHTTP = "aiohttp json"
OPENAI_CREATE = "openai create"
OPENAI_STREAM = "openai stream"
LITELLM = "litellm"

# Those that the goals are about.
QUICK = (CODEX, CODEX_AIOHTTP, FLOOR, HTTPX_SSE, OPENAI_CREATE, OPENAI_STREAM, LITELLM)

_OURS = "from codex_client import OutputTextDelta, Prompt, connect"

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(CODEX, "codex:open_default", _OURS),
        Contender(CODEX_AIOHTTP, "codex:open_aiohttp", _OURS),
        Contender(FLOOR, "by_hand:open_bytes", "import httpx", counts="bytes"),
        Contender(HTTPX_SSE, "by_hand:open_json", "import httpx, httpx_sse, json"),
        Contender("httpx-sse pydantic", "by_hand:open_pydantic", "import httpx, httpx_sse, pydantic"),
        Contender(AIOHTTP, "aiohttp_by_hand:open_json", "import aiohttp, json"),
        Contender(OPENAI_CREATE, "openai_sdk:open_create", "from openai import AsyncOpenAI"),
        Contender(OPENAI_STREAM, "openai_sdk:open_stream", "from openai import AsyncOpenAI"),
        Contender(LITELLM, "litellm_sdk:open_default", "from litellm import acompletion, aresponses"),
    )
}
