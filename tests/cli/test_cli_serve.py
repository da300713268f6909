"""`codex-client serve`: the gateway as a process of its own, over accounts of this machine or a provider."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from codex_client import settings
from codex_client.testing import Hold, ReplayServer, Reply, ev_completed, ev_created, ev_text_delta, responses_turn, sse
from tests.support.command_line import CommandLine, interrupt
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
    """The process, its address, and the line that tells it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with line.process("serve", "--port", "0", *arguments) as process:
            assert process.stderr is not None
            told = process.stderr.readline()
            found = re.search(r"at (http://\S+)/v1", told)
            assert found is not None, told + process.stderr.read()
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
    assert f"POST {CHAT} 200" in err
    assert (status, out) == (0, "")
    assert_unseen(told + err, line.server.secrets)


@posix
def test_a_providers_address_is_served_without_accounts(line: CommandLine) -> None:
    with upstream(line, sse(responses_turn("Hi"))) as server:
        arguments = ("--base-url", server.base_url, "--wire-api", "responses", "--quiet")
        with gateway(line, *arguments) as (process, url, _), http(url) as client:
            assert client.post(CHAT, json={"messages": chat_body()["messages"]}).status_code == 200
            assert client.get("/status.json").json()["accounts"] is None
            _, _, err = interrupt(process)
        # The client's model stands in where a request names none.
        assert server.requests[0].json()["model"].startswith("gpt-")
    assert err == ""


@posix
@pytest.mark.parametrize("by", ["variable", "argument"])
def test_a_key_is_asked_for(line: CommandLine, by: str) -> None:
    environment = {settings.GATEWAY_KEY.name: KEY if by == "variable" else "another-key"}
    arguments = ("--key", KEY) if by == "argument" else ()
    with gateway(line, *arguments, **environment) as (process, url, told):
        with http(url) as stranger, http(url, KEY) as known:
            assert stranger.get("/status.json").status_code == 401
            assert known.get("/status.json").status_code == 200
        _, _, err = interrupt(process)
    assert KEY not in told + err


def test_without_a_key_others_are_not_let_in(line: CommandLine) -> None:
    done = line.run("serve", "--host", "0.0.0.0", "--port", "0", "--base-url", "http://127.0.0.1:1/v1")
    assert (done.exit_code, "has no key" in done.stderr) == (2, True)


def test_a_key_that_is_none_is_refused_and_not_shown(line: CommandLine) -> None:
    done = line.run("serve", "--port", "0", "--key", "short-k")
    assert (done.exit_code, "GatewayConfig.keys" in done.stderr) == (2, True)
    assert "short-k" not in done.output


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
    assert (process.returncode, "Traceback" in err) == (0, False)
