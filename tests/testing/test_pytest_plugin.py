"""The plugin, in test runs of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import httpx
import pytest

pytest_plugins = ["pytester"]

# Installed, the plugin is found by its entry point, and pytest refuses to load it a second time by name.
INSTALLED = any(entry.name == "codex_client" for entry in entry_points(group="pytest11"))
ARGUMENTS = ["-p", "no:cacheprovider", "-p", "no:randomly"]
if not INSTALLED:
    ARGUMENTS += ["-p", "codex_client.testing.pytest_plugin"]

ASK = """
    import httpx
    import pytest

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return request.param

    async def ask():
        async with httpx.AsyncClient() as client:
            return await client.get("http://api.example.invalid")
"""


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the network somebody who answers everything, so that it shows who gets through."""

    async def answer(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        return httpx.Response(299)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)


def test_the_fixtures_work_on_both_event_loops(pytester: pytest.Pytester):
    pytester.makepyfile(
        ASK
        + """
    @pytest.mark.anyio
    async def test_asking(replay_server, manual_clock):
        async with replay_server([b"data: 1\\n\\n"], clock=manual_clock) as server:
            async with httpx.AsyncClient() as client:
                assert (await client.post(server.url)).text == "data: 1\\n\\n"
        manual_clock.advance(1)
        assert manual_clock.monotonic() == 1
    """
    )
    pytester.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=2)


def test_a_server_whose_replies_are_left_over_fails_its_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        ASK
        + """
    @pytest.mark.anyio
    async def test_asking_too_little(replay_server):
        async with replay_server([500, 200]) as server, httpx.AsyncClient() as client:
            await client.post(server.url)
    """
    )
    result = pytester.runpytest_inprocess(*ARGUMENTS)
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*AssertionError: 1 replies were not asked for*"])


@pytest.mark.usefixtures("outside")
def test_by_itself_the_plugin_forbids_nothing(pytester: pytest.Pytester):
    pytester.makepyfile(
        ASK
        + """
    @pytest.mark.anyio
    async def test_asking_outside():
        assert (await ask()).status_code == 299
    """
    )
    pytester.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=2)


@pytest.mark.usefixtures("outside")
def test_the_fixture_forbids_real_requests_for_one_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        ASK
        + """
    from codex_client.testing import RealRequestError

    @pytest.mark.anyio
    async def test_asking_outside(no_real_requests):
        with pytest.raises(RealRequestError):
            await ask()
    """
    )
    pytester.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=2)


FORBIDDEN = (
    ASK
    + """
    from codex_client.testing import RealRequestError

    @pytest.mark.anyio
    async def test_asking_outside():
        with pytest.raises(RealRequestError):
            await ask()

    @pytest.mark.anyio
    @pytest.mark.codex_client_network
    async def test_asking_outside_on_purpose():
        assert (await ask()).status_code == 299
"""
)


@pytest.mark.usefixtures("outside")
def test_the_ini_file_forbids_real_requests_for_all_but_marked_tests(pytester: pytest.Pytester):
    pytester.makeini("[pytest]\ncodex_client_allow_network = false\nstrict = true")
    pytester.makepyfile(FORBIDDEN)
    pytester.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=4)


@pytest.mark.usefixtures("outside")
def test_the_command_line_lifts_the_ban(pytester: pytest.Pytester):
    pytester.makeini("[pytest]\ncodex_client_allow_network = false")
    pytester.makepyfile(FORBIDDEN)
    result = pytester.runpytest_inprocess(*ARGUMENTS, "--codex-client-allow-network")
    result.assert_outcomes(passed=2, failed=2)


def test_loading_the_plugin_imports_nothing_of_the_library_but_its_own_two_modules():
    program = """
import sys, pytest
before = set(sys.modules)
import codex_client.testing.pytest_plugin
print(sorted(name for name in set(sys.modules) - before if not name.startswith(("encodings", "importlib"))))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert eval(done.stdout) == ["codex_client", "codex_client.testing", "codex_client.testing.pytest_plugin"]
