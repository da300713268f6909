"""`codex-client serve`: the gateway as a process of its own, over accounts of this machine or a provider."""

from __future__ import annotations

import array
import io
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from rich.console import Console

from codex_client import settings
from codex_client.testing import Hold, ReplayServer, Reply, ev_completed, ev_created, ev_text_delta, responses_turn, sse
from tests.support.command_line import CommandLine, hearing_interrupts, interrupt
from tests.support.gateways import CHAT, chat_body
from tests.support.secrecy import assert_unseen

KEY = "a-key-for-tests"
HELD = Reply(
    body=[sse([ev_created(), ev_text_delta("The")]), Hold(), sse([ev_text_delta(" end"), ev_completed()])],
    headers={"content-type": "text/event-stream"},
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for one process")


@contextmanager
def gateway(line: CommandLine, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, its address, and all that it says up to the line that tells it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with line.process("serve", "--port", "0", *arguments) as process:
            assert process.stderr is not None
            told = ""
            while (found := re.search(r"at (http://\S+)/v1", told)) is None:
                said = process.stderr.readline()
                assert said, told
                told += said
            yield process, found[1], told


@contextmanager
def upstream(line: CommandLine, *script: Any) -> Iterator[ReplayServer]:
    with line.portal.wrap_async_context_manager(ReplayServer(list(script))) as server:
        yield server


def http(url: str, key: str | None = None) -> httpx.Client:
    headers: Mapping[str, str] = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30)


@posix
def test_the_accounts_of_this_machine_are_served_and_shown(line: CommandLine) -> None:
    tokens = line.keep(line.server.add_account("acct-1", email="one@example.test"), lifetime=1e9)
    line.server.accounts[0].limit(40)
    with gateway(line) as (process, url, told), http(url) as client:
        answer = client.post(CHAT, json=chat_body())
        assert answer.json()["choices"][0]["message"]["content"] == line.server.text
        [account] = client.get("/status.json").json()["accounts"]
        status, out, err = interrupt(process)
    assert (account["key"], account["email"], account["plan"]) == (tokens.key, "o\u2026@example.test", "plus")
    assert "serving chatgpt at" in told
    assert told.endswith("; callers on this machine need no key\n")
    assert f"POST {CHAT} 200" in err
    assert (status, out) == (0, "")
    assert_unseen(told + err, line.server.secrets)


@posix
def test_a_providers_address_is_served_without_accounts(line: CommandLine) -> None:
    with upstream(line, sse(responses_turn("Hi"))) as server:
        arguments = ("--base-url", server.base_url, "--wire-api", "responses", "--quiet")
        with gateway(line, *arguments) as (process, url, told), http(url) as client:
            refused = client.post(CHAT, json={"messages": chat_body()["messages"]})
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model")
            assert client.post(CHAT, json=chat_body()).status_code == 200
            assert client.get("/status.json").json()["accounts"] is None
            _, _, err = interrupt(process)
    assert (told.count("\n"), err) == (1, "")


@posix
def test_what_is_no_request_is_logged_as_all_else_is(line: CommandLine) -> None:
    with upstream(line) as server, gateway(line, "--base-url", server.base_url, "--quiet") as (process, url, _):
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as raw:
            raw.sendall(b"no request\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 400 ")
        _, _, err = interrupt(process)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:,]+ WARNING Invalid HTTP request received\.\n", err)


@posix
def test_a_model_of_the_gateways_own_stands_in_where_a_request_names_none(line: CommandLine) -> None:
    with upstream(line, sse(responses_turn("Hi"))) as server:
        with gateway(line, "--base-url", server.base_url, "--model", "gpt-5.2") as (_, url, _), http(url) as client:
            assert client.post(CHAT, json={"messages": chat_body()["messages"]}).status_code == 200
        assert server.requests[0].json()["model"] == "gpt-5.2"


@posix
def test_where_nobody_is_logged_in_it_says_so_and_notices_a_login(line: CommandLine) -> None:
    with gateway(line) as (_, url, told), http(url) as client:
        assert "nobody is logged in, so turns will fail; run `codex-client login`" in told
        refused = client.post(CHAT, json=chat_body())
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "login_required")
        assert client.get("/health").status_code == 503
        line.keep(line.server.add_account("acct-1"), lifetime=1e9)
        assert (client.post(CHAT, json=chat_body()).status_code, client.get("/health").status_code) == (200, 200)


@posix
@pytest.mark.parametrize("by, variable", [("variable", f"{KEY}\n"), ("argument", "another-key"), ("argument", "")])
def test_a_key_is_asked_for(line: CommandLine, by: str, variable: str) -> None:
    arguments = ("--key", KEY) if by == "argument" else ()
    with gateway(line, *arguments, **{settings.GATEWAY_KEY.name: variable}) as (process, url, told):
        assert told.endswith("; callers need a key\n")
        with http(url) as stranger, http(url, KEY) as known:
            assert stranger.get("/status.json").status_code == 401
            assert known.get("/status.json").status_code == 200
        _, _, err = interrupt(process)
    assert KEY not in told + err


@pytest.mark.parametrize("by", ["variable", "argument"])
def test_a_key_that_is_none_is_told_by_the_name_of_its_setting(
    line: CommandLine, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = settings.GATEWAY_KEY.name if by == "variable" else "--key"
    if by == "variable":
        monkeypatch.setenv(name, "short-k")
    result = line.run("serve", "--port", "0", *(("--key", "short-k") if by == "argument" else ()))
    assert result.exit_code == 2
    assert f"{name} has one that is no key; each has 8 or more" in result.stderr
    assert "short-k" not in result.output


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_a_variable_without_a_key_in_it_is_not_taken_for_none(
    line: CommandLine, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it comes of `$(cat gateway.key)` where there is no such file."""
    monkeypatch.setenv(settings.GATEWAY_KEY.name, value)
    result = line.run("serve", "--port", "0", "--host", "0.0.0.0", "--base-url", "http://127.0.0.1:1/v1")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {settings.GATEWAY_KEY.name} is set and holds no key; ")


@posix
def test_its_bounds_are_options(line: CommandLine) -> None:
    with upstream(line) as server:
        bounds = ("--max-body-bytes", "50", "--max-turns", "1", "--drain-seconds", "0", "--heartbeat-seconds", "1")
        with gateway(line, "--base-url", server.base_url, *bounds) as (_, url, _), http(url) as client:
            assert client.post(CHAT, json=chat_body()).status_code == 413
            assert client.get("/status.json").json()["max_turns"] == 1


def test_without_a_key_others_are_not_let_in(line: CommandLine) -> None:
    done = line.run("serve", "--host", "0.0.0.0", "--port", "0", "--base-url", "http://127.0.0.1:1/v1")
    assert (done.exit_code, "has no key" in done.stderr) == (2, True)


@posix
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_running_turn_finish_and_no_more_in(line: CommandLine, sent: signal.Signals) -> None:
    with upstream(line, HELD) as server, gateway(line, "--base-url", server.base_url) as (process, url, _):
        with http(url) as client, client.stream("POST", CHAT, json=chat_body(stream=True)) as answer:
            lines = answer.iter_lines()
            while '"The"' not in next(lines):
                pass
            process.send_signal(sent)
            with http(url) as late:
                while late.get("/health").status_code == 200:
                    pass
                refused = late.post(CHAT, json=chat_body())
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            line.portal.call(server.release)
            rest = list(lines)
        _, err = process.communicate(timeout=30)
    assert any('" end"' in each for each in rest)
    assert [each for each in rest if each][-1] == "data: [DONE]"
    assert (process.returncode, "Traceback" in err) == (0, False)


@posix
def test_a_second_signal_ends_the_running_turn_at_once(line: CommandLine) -> None:
    with upstream(line, HELD) as server, gateway(line, "--base-url", server.base_url) as (process, url, _):
        with http(url) as client, client.stream("POST", CHAT, json=chat_body(stream=True)) as answer:
            lines = answer.iter_lines()
            while '"The"' not in next(lines):
                pass
            process.send_signal(signal.SIGTERM)
            with http(url) as late:
                while late.get("/health").status_code == 200:
                    pass
            process.send_signal(signal.SIGTERM)
            rest = [each for each in lines if each]
        _, err = process.communicate(timeout=30)
        line.portal.call(server.idle)
    assert "the gateway ended before the turn did" in rest[-1]
    assert (process.returncode, "Traceback" in err) == (130, False)


class Interrupting(io.StringIO):
    """Where the command says that it serves; it is told to end before it has said so."""

    def __init__(self, signals: list[signal.Signals]) -> None:
        super().__init__()
        self._signals = signals

    def write(self, text: str, /) -> int:
        if "serving" in text:
            for each in self._signals:
                signal.raise_signal(each)
        return super().write(text)


@posix
@pytest.mark.parametrize(
    "signals, status",
    [([signal.SIGINT], 0), ([signal.SIGTERM], 0), ([signal.SIGINT] * 2, 130), ([signal.SIGTERM, signal.SIGINT], 130)],
)
def test_from_its_address_on_one_signal_is_a_good_end_and_a_second_one_an_interruption(
    line: CommandLine, signals: list[signal.Signals], status: int
) -> None:
    # Or SIGTERM would end the tests where nobody hears it.
    with hearing_interrupts(), ending_on_sigterm():
        said = Console(file=Interrupting(signals))
        ended = line.run("serve", "--port", "0", "--base-url", "http://127.0.0.1:1/v1", err=said)
    assert ended.exit_code == status


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# More than the buffers of a loopback connection hold.
LONG = Reply(
    body=[sse([ev_created(), *([ev_text_delta("x" * 10_000)] * 100)])] * 20,
    headers={"content-type": "text/event-stream"},
)


def unread(sock: socket.socket) -> int:
    """Bytes that have come and wait to be read."""
    import fcntl
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


@posix
def test_a_second_signal_leaves_callers_who_neither_read_nor_write(line: CommandLine) -> None:
    body = json.dumps(chat_body(stream=True)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: "
    with upstream(line, LONG) as server, gateway(line, "--base-url", server.base_url) as (process, url, _):
        port = int(url.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as writer,
            socket.create_connection(("127.0.0.1", port)) as reader,
        ):
            writer.sendall(f"{head}100\r\n\r\n{{".encode())
            reader.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
            with http(url) as other:
                # Until what is not read holds the turn up.
                waiting, before = unread(reader), -1
                while not waiting or waiting != before:
                    for _ in range(20):
                        other.get("/health")
                    waiting, before = unread(reader), waiting
                process.send_signal(signal.SIGINT)
                while other.get("/health").status_code == 200:
                    pass
            process.send_signal(signal.SIGINT)
            # Sooner than running turns are waited for without it.
            _, err = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in err, "Cancel" in err) == (130, False, False)
