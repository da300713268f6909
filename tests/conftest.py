"""What every test gets: both event loops, a clean environment, leaks reported at once, the recorded streams."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from codex_client.client.connections import ConnectionTransport, new_http_client

CAPTURES = "CODEX_CLIENT_CAPTURES"
CHROMIUM = "CODEX_CLIENT_CHROMIUM"
NO_CAPTURES = f"{CAPTURES} is not set to a folder of recorded streams"

# A slow machine is no failure. In CI the same code gives the same examples, so that a red run can be repeated.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "each_capture(glob): run once for each recorded stream that matches, as the argument `capture` (a Path)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("each_capture")
    if marker is None:
        return
    folder = captures_folder()
    if folder is None:
        metafunc.parametrize("capture", [pytest.param(None, marks=pytest.mark.skip(reason=NO_CAPTURES), id="unset")])
        return
    files = sorted(folder.glob(*marker.args))
    if not files:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: no capture matches {marker.args[0]!r}")
    metafunc.parametrize("capture", files, ids=[file.relative_to(folder).as_posix() for file in files])


def captures_folder() -> Path | None:
    folder = os.environ.get(CAPTURES)
    return Path(folder).resolve() if folder else None


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of recorded streams; a test that asks for it is skipped where there is none."""
    folder = captures_folder()
    if folder is None:
        pytest.skip(NO_CAPTURES)
    return folder


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["httpx", "aiohttp"])
def transport(request: pytest.FixtureRequest, anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each transport in turn, in place of the one that the test's configuration names."""
    if request.param == "aiohttp":
        pytest.importorskip("aiohttp")
        if anyio_backend == "trio":
            pytest.skip("aiohttp runs on asyncio only")
    monkeypatch.setitem(ConnectionTransport.__init__.__kwdefaults__ or {}, "engine", request.param)
    monkeypatch.setattr(
        "codex_client.client.http.new_http_client", lambda clock, _: new_http_client(clock, request.param)
    )
    return request.param


@pytest.fixture(scope="session", autouse=True)
def nothing_from_the_environment() -> Iterator[None]:
    """Keys, addresses and proxies of who runs the tests neither steer them nor can reach a server."""
    prefixes = ("AZURE_", "CHATGPT_", "CODEX_", "OPENAI_", "OPENROUTER_", "OTEL_")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name not in (CAPTURES, CHROMIUM) and (name.startswith(prefixes) or name.lower().endswith("_proxy")):
                patch.delenv(name)
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    # Modules and test items live as long as the run: set aside, they make the collections below cost next to nothing.
    # So what tests load only later is loaded now.
    for large in ("aiohttp", "matplotlib.figure", "codex_client.client.aiohttp_link", "codex_client.classify"):
        with suppress(ImportError):
            import_module(large)
    gc.freeze()


@pytest.fixture(autouse=True)
def leaks_belong_to_their_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """What an async test drops without closing complains now, inside that test, and not somewhere later."""
    yield
    if "anyio_backend" in request.fixturenames:
        gc.collect()
        # What lives on is pytest's own: without this each collection looks through all earlier tests' reports again.
        gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """On asyncio a forgotten task would be cancelled in silence when the loop closes; trio has none to forget."""
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test) and pyfuncitem.funcargs.get("anyio_backend") == "asyncio":
        pyfuncitem.obj = without_leftover_tasks(test)
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


def without_leftover_tasks(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def checked(**arguments: Any) -> None:
        before = asyncio.all_tasks()
        await test(**arguments)
        # Closing an abandoned generator is a task of its own, and done after a few turns of the loop.
        for _ in range(10):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - before
        assert not left, f"the test ended, its tasks did not: {left}"

    return checked
