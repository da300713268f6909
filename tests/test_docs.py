"""The documentation runs: every python block of README.md and docs/ is executed, every `make` target named exists.

The python blocks of a page are one program, run from top to bottom in a fresh folder that holds a copy of `fixtures/`.
A block with a top-level `await` runs on the event loop of the test, once on asyncio and once on trio; one without it
runs in a thread of its own, so that it may call `asyncio.run`. Two comments, invisible on the page, prepare it
(CONTRIBUTING.md shows them): `<!-- setup: NAME ARGUMENTS -->` enters one of SETUPS, and `<!-- python` opens a hidden
block that ends at `-->`. A setup gives names to the page's blocks.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import anyio.to_thread
import pytest
from anyio.from_thread import start_blocking_portal

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

PYTHON = {"py", "pycon", "python", "python3"}
SHELL = {"bash", "console", "sh", "shell", "zsh"}
BLOCK = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)[^\n]*\n"
    r"(?P<code>.*?)^(?P=indent)(?P=fence)[ \t]*$"
    r"|^<!-- (?P<hidden>python)\n(?P<hidden_code>.*?)^-->",
    re.MULTILINE | re.DOTALL,
)
SETUP = re.compile(r"^<!-- setup: (?P<words>.+?) -->$", re.MULTILINE)
MAKE = re.compile(r"\bmake((?: +[\w=./-]+)+)")
INLINE_MAKE = re.compile(r"`(make [^`\n]+)`")


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    line: int  # of its first line of code, counted from 1


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in BLOCK.finditer(text):
        group = "code" if match["hidden"] is None else "hidden_code"
        line = text.count("\n", 0, match.start(group)) + 1
        yield Block(match["hidden"] or match["language"], textwrap.dedent(match[group]), line)


def setups_of(page: Path) -> list[list[str]]:
    return [match["words"].split() for match in SETUP.finditer(page.read_text("utf-8"))]


@asynccontextmanager
async def replay_server(patch: pytest.MonkeyPatch, *recordings: str) -> AsyncIterator[dict[str, object]]:
    """A server on loopback stands in for the API and answers one request after the other with the named fixtures."""
    from codex_client.testing import ReplayServer

    async with ReplayServer([path.read_bytes() for path in map(Path, recordings)]) as server:
        patch.setenv("OPENAI_BASE_URL", server.base_url)
        patch.setenv("OPENAI_API_KEY", "sk-example")
        yield {}


@asynccontextmanager
async def account_server(patch: pytest.MonkeyPatch, *account_ids: str) -> AsyncIterator[dict[str, object]]:
    """A server on loopback stands in for ChatGPT: issuer, usage endpoint and backend. The named accounts exist there
    and are logged in here, in a folder of the page's own. Hidden blocks know it as `account_server`.
    """
    from codex_client import FileTokenStore, built_in_providers, model_provider
    from codex_client.testing import AccountServer

    async with AccountServer() as server:
        known = built_in_providers()
        known["chatgpt"] = replace(known["chatgpt"], base_url=server.base_url)
        patch.setattr(model_provider, "_built_in", known.values)
        patch.setenv("CODEX_CLIENT_HOME", "home")
        patch.setenv("CODEX_HOME", "codex-home")
        patch.setenv("CODEX_CLIENT_ISSUER", server.url)
        for account_id in account_ids:
            await FileTokenStore().save(server.issue(server.add_account(account_id)))
        yield {"account_server": server}


@asynccontextmanager
async def account_gateway(patch: pytest.MonkeyPatch, *account_ids: str) -> AsyncIterator[dict[str, object]]:
    """The same, and in front of it a gateway in a thread of its own, which is where clients of OpenAI's API are led."""
    async with account_server(patch, *account_ids) as names:
        with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(gateway_of_logins()) as url:
            patch.setenv("OPENAI_BASE_URL", f"{url}/v1")
            patch.setenv("OPENAI_API_KEY", "unused")
            yield names


@asynccontextmanager
async def gateway_of_logins() -> AsyncIterator[str]:
    from codex_client import connect
    from codex_client.gateway import create_app
    from tests.support.gateways import served

    async with connect("gpt-5", provider="chatgpt") as client, served(create_app(client)) as url:
        yield url


SETUPS = {"replay-server": replay_server, "account-server": account_server, "account-gateway": account_gateway}


async def execute(block: Block, page: Path, namespace: dict[str, object]) -> None:
    # Padded to its place on the page, so that a traceback points there.
    source = "\n" * (block.line - 1) + block.code
    code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, namespace)
    else:
        await anyio.to_thread.run_sync(exec, code, namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
async def test_every_python_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    monkeypatch.chdir(tmp_path)
    # The page is a module of its own: whoever resolves an annotation looks for its names there.
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    async with AsyncExitStack() as stack:
        for name, *arguments in setups_of(page):
            module.__dict__.update(await stack.enter_async_context(SETUPS[name](monkeypatch, *arguments)))
        for block in blocks_of(page):
            if block.language in PYTHON:
                await execute(block, page, module.__dict__)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_target_named_exists(page: Path):
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = [block.code for block in blocks_of(page) if block.language in SHELL]
    commands += INLINE_MAKE.findall(page.read_text("utf-8"))
    words = [word for command in commands for match in MAKE.finditer(command) for word in match[1].split()]
    named = {word for word in words if "=" not in word and not word.startswith("-")}
    assert named - targets == set()


def test_the_navigation_names_exactly_the_pages_there_are():
    named = re.findall(r"[\w./-]+\.md$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
