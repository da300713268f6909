"""The pytest plugin: fixtures for tests of programs that use `codex_client`.

Nothing of the library is imported before a fixture is used. By itself the plugin changes no test.

`codex_client_allow_network = false` in the ini file lets no test reach a real server; `--codex-client-allow-network`
lifts that for one run, the marker `codex_client_network` for one test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from codex_client.testing.clock import ManualClock
    from codex_client.testing.replay_server import ReplayServer

_OPTION = "codex_client_allow_network"
_MARKER = "codex_client_network"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Called by pytest."""
    parser.addini(
        _OPTION, "whether codex_client may talk to hosts other than loopback in tests (default: true)", "bool", True
    )
    group = parser.getgroup("codex_client")
    group.addoption(
        "--codex-client-allow-network",
        action="store_true",
        dest=_OPTION,
        help=f"allow codex_client to talk to real servers, whatever the ini file says in {_OPTION}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest."""
    config.addinivalue_line("markers", f"{_MARKER}: this test may talk to real servers through codex_client")


@pytest.fixture
def no_real_requests() -> Iterator[None]:
    """Within this test a request to any host but loopback raises `RealRequestError`."""
    from codex_client.testing.network_guard import no_real_requests

    with no_real_requests():
        yield


@pytest.fixture(autouse=True)
def _codex_client_network(request: pytest.FixtureRequest) -> None:
    config = request.config
    allowed = config.getini(_OPTION) or config.getoption(_OPTION) or request.node.get_closest_marker(_MARKER)
    if not allowed:
        request.getfixturevalue("no_real_requests")


@pytest.fixture
def manual_clock() -> ManualClock:
    """A `ManualClock` of this test's own."""
    from codex_client.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def replay_server() -> Iterator[Callable[..., ReplayServer]]:
    """Makes servers from the arguments of `ReplayServer`, to be used with `async with`.

    When the test is over, each of them must have been asked for all its replies and have met no problem
    (`assert_complete`). The function starts nothing, so it serves tests under anyio's plugin and under any other.
    """
    from codex_client.testing.replay_server import ReplayServer

    servers: list[ReplayServer] = []

    def make(script: Any, **options: Any) -> ReplayServer:
        servers.append(ReplayServer(script, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.assert_complete()
