"""`codex-client doctor`: what it finds, what it advises, and that it tells no secret."""

from __future__ import annotations

import dataclasses
import json
import ssl
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from codex_client.api import SystemClock
from codex_client.cli.configuration_checks import EXTRAS
from codex_client.cli.network_checks import proxy_for
from codex_client.client.proxies import proxy_mounts
from codex_client.testing import ReplayServer, Reply
from tests.support.command_line import CommandLine
from tests.support.secrecy import assert_unseen

ROOT = Path(__file__).parents[2]
KEY = "sk-test-0123456789abcdefghij"
LIST = {"object": "list", "data": [{"id": "gpt-5"}, {"id": "other"}]}
Serve = Callable[..., ReplayServer]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def serve(line: CommandLine) -> Iterator[Serve]:
    blocks: list[Any] = []

    def start(script: Any, **options: Any) -> ReplayServer:
        block = line.portal.wrap_async_context_manager(ReplayServer(script, **options))
        blocks.append(block)
        return block.__enter__()

    yield start
    for block in blocks:
        block.__exit__(None, None, None)


def over_tls(serve: Serve, certificate: trustme.LeafCert) -> ReplayServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return serve(lambda _: Reply.from_json(LIST), ssl_context=context)


def found(line: CommandLine, *arguments: str, status: int = 0, **options: Any) -> dict[str, dict[str, Any]]:
    """The checks by name."""
    ended = line.run("doctor", "--json", *arguments, **options)
    told = json.loads(ended.stdout)
    assert (ended.exit_code, told["ok"]) == (status, status == 0), ended.output
    return {each["name"]: each for each in told["checks"]}


def verdicts(checks: dict[str, dict[str, Any]], *names: str) -> list[str]:
    return [checks[name]["verdict"] for name in names]


def at(line: CommandLine, server: ReplayServer, *arguments: str, **options: Any) -> dict[str, dict[str, Any]]:
    return found(line, "--base-url", server.base_url, "--model", "gpt-5", *arguments, **options)


def dated(line: CommandLine, seconds: float = 0.0) -> dict[str, str]:
    moment = datetime.fromtimestamp(line.clock.time(), UTC) + timedelta(seconds=seconds)
    return {"date": format_datetime(moment, usegmt=True)}


def test_all_is_well_with_a_server_that_answers(line: CommandLine, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = serve({"GET /models": Reply.from_json(LIST, headers=dated(line))})
    checks = at(line, server)
    assert {name: each["verdict"] for name, each in checks.items()} == {
        **dict.fromkeys(
            ("program", "extras", "settings", "server", "credential", "proxy", "names", "connection"), "ok"
        ),
        "certificate": "skipped",
        **dict.fromkeys(("models", "model", "clock"), "ok"),
    }
    assert checks["models"]["told"] == f"{server.base_url}/models answers: 2 models"
    assert checks["model"]["told"] == "gpt-5 is among them"
    assert checks["credential"]["told"] == "OPENAI_API_KEY, as a bearer token"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    people = line.run("doctor", "--base-url", server.base_url, "--model", "gpt-5")
    assert (people.exit_code, people.stderr) == (0, "all is well\n")
    assert_unseen(people.output + json.dumps(checks), {KEY})


def test_each_value_is_told_with_its_source(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://user:hidden-word@proxy.test/v1?key=hidden-word")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("CODEX_CLIENT_MODEL", "gpt-5")
    monkeypatch.setenv("CODEX_CLIENT_STORE", "redis://user:hidden-word@redis.test/0")
    monkeypatch.setenv("CODEX_1_ACCESS_TOKEN", "hidden-word")
    failed = found(line, "--offline", status=2)
    assert "base URL" in failed["server"]["told"]
    assert failed["settings"]["told"].splitlines() == [
        "CODEX_CLIENT_MODEL = gpt-5",
        "OPENAI_BASE_URL = https://proxy.test/v1",
        "OPENAI_API_KEY is set",
        "CODEX_CLIENT_STORE = redis://redis.test/0",
        f"CODEX_CLIENT_HOME = {line.home}",
        "CODEX_ACCESS_TOKEN is set",
    ]
    monkeypatch.setenv("OPENAI_BASE_URL", "https://proxy.test/v1")
    told = found(line, "--offline", "--provider", "openai")
    assert told["server"]["told"].splitlines() == [
        "provider openai (by its option)",
        "address https://proxy.test/v1 (by OPENAI_BASE_URL)",
        "API responses (by default)",
        "profile generic-responses (by the provider's name and address)",
        "model gpt-5 (by CODEX_CLIENT_MODEL)",
    ]
    assert_unseen(json.dumps([failed, told]), {KEY, "hidden-word"})


def test_a_key_of_the_environment_is_not_for_a_server_that_was_named(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", KEY)
    assert found(line, "--offline")["credential"]["told"] == "CODEX_CLIENT_API_KEY, as a bearer token"
    missing = found(line, "--offline", "--provider", "groq", status=2)["credential"]
    assert missing["advice"].startswith("set GROQ_API_KEY")
    assert found(line, "--offline", "--provider", "ollama")["credential"]["told"].startswith("none: provider 'ollama'")


def test_a_provider_named_as_in_the_environment_has_the_environments_key(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", KEY)
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "groq")
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", "http://127.0.0.1:9/v1")
    checks = found(line, "--offline", "--provider", "groq")
    assert checks["credential"]["told"] == "CODEX_CLIENT_API_KEY, as a bearer token"
    assert checks["server"]["told"].splitlines()[:2] == [
        "provider groq (by its option)",
        "address http://127.0.0.1:9/v1 (by CODEX_CLIENT_BASE_URL)",
    ]


def test_an_unknown_provider_ends_it(line: CommandLine):
    checks = found(line, "--provider", "nonsense", status=2)
    assert list(checks) == ["program", "extras", "settings", "server"]
    assert "unknown provider 'nonsense'" in checks["server"]["told"]


def test_offline_nobody_is_asked(line: CommandLine, serve: Serve):
    server = serve(200)
    checks = at(line, server, "--offline")
    names = ("names", "connection", "certificate", "models", "model", "clock")
    assert verdicts(checks, *names) == ["skipped"] * 6
    assert server.connections_made == 0


def test_no_model_is_a_note(line: CommandLine):
    told = found(line, "--offline", "--provider", "ollama")["server"]
    assert (told["verdict"], told["advice"]) == ("note", "name a model by --model, or set CODEX_CLIENT_MODEL")
    shown = line.run("doctor", "--offline", "--provider", "ollama")
    assert (shown.exit_code, shown.stderr) == (0, "nothing stands in the way; 1 note may be worth a look\n")


def test_logins_are_explained(line: CommandLine):
    none = found(line, "--provider", "chatgpt", status=3)
    assert none["credential"]["told"] == "no account is logged in"
    assert "codex-client login" in none["credential"]["advice"]
    assert verdicts(none, "models", "model", "clock") == ["skipped"] * 3
    one = line.server.add_account("acct-1")
    one.limit(10, resets_at=line.clock.time() + 7800)
    tokens = line.keep(one)
    checks = found(line, "--provider", "chatgpt", "--model", "gpt-5")
    assert checks["credential"]["told"].splitlines()[0] == "1 logged in"
    assert f"{tokens.key} (a…@example.test) serves: " in checks["credential"]["told"]
    assert verdicts(checks, "connection", "models") == ["ok", "ok"]
    assert_unseen(json.dumps([none, checks]), line.server.secrets)


def test_the_account_of_another_turn_is_not_that_of_the_doctor(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "chatgpt")
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", line.server.base_url)
    for used in (60, 10):
        one = line.server.add_account(f"acct-{used}")
        one.limit(used, resets_at=line.clock.time() + 7800)
        line.keep(one)
    # Asked of no conversation, as a small request is.
    assert line.run("models", "--refresh").exit_code == 0
    told = found(line, "--model", "gpt-5")["credential"]["told"]
    assert "serves: it has 0 conversations" in told
    assert "this conversation" not in told


def test_accounts_that_cannot_serve_are_told_with_their_time(line: CommandLine):
    one = line.server.add_account("acct-1")
    one.limit(100, resets_at=line.clock.time() + 7800)
    line.keep(one)
    line.run("quota")
    checks = found(line, "--provider", "chatgpt", status=4)
    assert checks["credential"]["verdict"] == "failed"
    assert "in 2 h 10 min" in checks["credential"]["advice"]


def test_logins_that_have_ended_are_no_credential(line: CommandLine):
    ended = line.keep(lifetime=-1.0)
    line.put(dataclasses.replace(ended, refresh_token=None))
    checks = found(line, "--provider", "chatgpt", status=4)
    assert checks["credential"]["verdict"] == "failed"
    told = f"{ended.key} (a…@example.test) cannot serve: its token has ended, and nothing here renews it"
    assert told in checks["credential"]["told"].splitlines()
    assert verdicts(checks, "models") == ["skipped"]
    one = line.keep()
    checks = found(line, "--provider", "chatgpt", "--model", "gpt-5")
    assert f"{one.key} (a…@example.test) serves: " in checks["credential"]["told"]
    assert told in checks["credential"]["told"].splitlines()


def test_what_the_server_answers_is_judged(line: CommandLine, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    replies = [401, 404, Reply.from_json({"hello": "world"}), Reply.from_sse(b"<html>"), 503]
    server = serve({"GET /models": replies})
    refused = at(line, server, status=1)
    assert (refused["models"]["verdict"], refused["model"]["verdict"]) == ("failed", "skipped")
    assert "401" in refused["models"]["told"]
    assert refused["models"]["advice"]
    nowhere = at(line, server)
    assert (nowhere["models"]["verdict"], "404" in nowhere["models"]["told"]) == ("note", True)
    for _ in range(2):
        odd = at(line, server)["models"]
        assert (odd["verdict"], "no list of models" in odd["told"]) == ("note", True)
    assert "503" in at(line, server, status=1)["models"]["told"]


def test_a_model_that_is_not_listed_is_a_note(line: CommandLine, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    server = serve(lambda _: Reply.from_json(LIST))
    told = found(line, "--base-url", server.base_url, "--model", "gpt-9")["model"]
    assert (told["verdict"], told["told"]) == ("note", "gpt-9 is not among them")
    assert found(line, "--base-url", server.base_url)["model"]["verdict"] == "skipped"
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", KEY)
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "chatgpt")
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", server.base_url)
    assert found(line, "--model", "gpt-5:high", provider=None)["model"]["told"] == "gpt-5 is among them"
    wrong = found(line, "--model", "gpt-5:enormous", status=2, provider=None)["model"]
    assert (wrong["verdict"], "enormous" in wrong["told"]) == ("failed", True)


@pytest.mark.parametrize(
    "skew, verdict, told",
    [(0, "ok", "as the server's"), (-600, "note", "10 min ahead of the server's"), (600, "note", "10 min behind")],
)
def test_the_clocks_are_compared(line: CommandLine, serve: Serve, skew: float, verdict: str, told: str):
    server = serve(lambda _: Reply.from_json(LIST, headers=dated(line, skew)))
    clock = at(line, server)["clock"]
    assert (clock["verdict"], told in clock["told"]) == (verdict, True), clock
    undated = serve(lambda _: Reply.from_json(LIST, headers={"date": "soon"}))
    assert at(line, undated)["clock"]["verdict"] == "skipped"


def test_a_server_that_is_not_there_is_one_failure_with_one_advice(line: CommandLine):
    checks = found(line, "--base-url", "http://127.0.0.1:9/v1", "--model", "m", status=1)
    assert verdicts(checks, "names", "connection") == ["ok", "failed"]
    assert "no connection to 127.0.0.1:9" in checks["connection"]["told"]
    later = [checks[name] for name in ("certificate", "models", "model", "clock")]
    assert {(each["verdict"], each["told"]) for each in later} == {("skipped", "not tried")}
    assert [name for name, each in checks.items() if each["advice"]][-1] == "connection"
    shown = line.run("doctor", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    assert shown.stderr == "1 check failed\n"


def test_a_name_without_an_address_is_told(line: CommandLine):
    # No name server is asked for it: an empty part is in no name.
    checks = found(line, "--base-url", "http://a..test/v1", "--model", "m", status=1)
    assert checks["names"]["told"].startswith("a..test has no address (")
    assert verdicts(checks, "names", "connection", "certificate", "models") == ["failed", *["skipped"] * 3]


def test_a_connection_that_is_not_made_in_time_is_told(line: CommandLine, serve: Serve):
    line.clock.over = {10.0}
    server = serve(lambda _: Reply.from_json(LIST))
    checks = at(line, server, status=1)
    assert checks["connection"]["told"].endswith("(none within 10 s)")
    assert verdicts(checks, "connection", "certificate", "models") == ["failed", "skipped", "skipped"]


def test_a_certificate_that_is_trusted_is_told_with_its_end(
    line: CommandLine, serve: Serve, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    line.clock.advance(SystemClock().time() - line.clock.time())
    server = over_tls(serve, authority.issue_cert("127.0.0.1"))
    told = at(line, server)["certificate"]
    assert told["verdict"] == "ok"
    assert told["told"].startswith("TLSv1.3, trusted, good until ")
    soon = authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=3, hours=1))
    told = at(line, over_tls(serve, soon))["certificate"]
    assert (told["verdict"], told["told"].endswith("(3 days)")) == ("note", True)


def test_a_certificate_that_is_not_trusted_is_told(line: CommandLine, serve: Serve, authority: trustme.CA):
    checks = at(line, over_tls(serve, authority.issue_cert("127.0.0.1")), status=1)
    assert checks["certificate"]["verdict"] == "failed"
    assert "is not trusted (unable to get local issuer certificate)" in checks["certificate"]["told"]
    assert "SSL_CERT_FILE" in checks["certificate"]["advice"]


def test_certificates_that_cannot_be_read_are_a_wrong_setting(
    line: CommandLine, serve: Serve, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authority.pem")
    checks = at(line, over_tls(serve, authority.issue_cert("127.0.0.1")), status=2)
    assert "SSL_CERT_FILE='/nowhere/authority.pem'" in checks["certificate"]["told"]


def test_a_server_without_tls_at_an_https_address_is_told(line: CommandLine, serve: Serve):
    server = serve(200)
    checks = found(line, "--base-url", server.base_url.replace("http", "https"), "--model", "m", status=1)
    assert checks["certificate"]["verdict"] == "failed"
    assert "no TLS with 127.0.0.1" in checks["certificate"]["told"]


def test_a_proxy_is_told_without_its_password_and_used(
    line: CommandLine, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    proxy = serve(lambda _: Reply.from_json(LIST))
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://user:hidden-word@"))
    checks = found(line, "--base-url", "http://somewhere.test/v1", "--model", "gpt-5")
    assert checks["proxy"]["told"] == f"{proxy.url}, by the environment"
    assert checks["connection"]["told"].startswith(proxy.url.removeprefix("http://"))
    assert checks["models"]["verdict"] == "ok"
    assert_unseen(json.dumps(checks), {"hidden-word"})
    monkeypatch.setenv("NO_PROXY", "somewhere.test")
    checks = found(line, "--base-url", "http://somewhere.test/v1", "--offline")
    assert checks["proxy"]["told"] == "none (there are some for other addresses)"


@pytest.mark.parametrize(
    "variable, value",
    [
        ("HTTPS_PROXY", "socks4://user:hidden-word@x:1"),
        ("HTTP_PROXY", "socks4://x:1"),
        ("HTTPS_PROXY", "http://x:99999"),
        ("HTTPS_PROXY", "http://"),
        ("HTTPS_PROXY", "http://[x"),
        ("NO_PROXY", "[x"),
    ],
)
def test_a_proxy_that_is_none_is_the_one_failure(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
):
    monkeypatch.setenv(variable, value)
    checks = found(line, "--base-url", "https://somewhere.test/v1", "--model", "m", status=2)
    assert [name for name, each in checks.items() if each["verdict"] == "failed"] == ["proxy"]
    assert "PROXY" in checks["proxy"]["advice"] + checks["proxy"]["told"]
    assert checks["credential"]["told"] == checks["models"]["told"] == "not tried"
    assert_unseen(json.dumps(checks), {"hidden-word"})


PROXIES = {"http": "http://proxy:1", "https": "http://proxy:2"}


@pytest.mark.parametrize(
    "url, no, proxy",
    [
        ("http://a.test/v1", "", "http://proxy:1"),
        ("https://a.test/v1", "", "http://proxy:2"),
        ("https://a.test/v1", "*", None),
        ("https://a.test/v1", "a.test", None),
        ("https://b.a.test/v1", "a.test", None),
        ("https://ba.test/v1", "a.test", "http://proxy:2"),
        ("https://a.test/v1", ".a.test", "http://proxy:2"),
        ("https://b.a.test/v1", ".a.test", None),
        ("https://a.test:8443/v1", "a.test:443", "http://proxy:2"),
        ("https://a.test/v1", "a.test:443", None),
        ("http://localhost:1/v1", "localhost", None),
        ("http://127.0.0.1:1/v1", "127.0.0.1", None),
        ("http://[::1]:1/v1", "::1", None),
        ("http://a.test/v1", "https://a.test", "http://proxy:1"),
        ("https://a.test/v1", "https://a.test", None),
    ],
)
def test_the_proxy_is_the_one_that_the_library_takes(url: str, no: str, proxy: str | None):
    assert proxy_for(urlsplit(url), proxy_mounts(PROXIES | {"no": no})) == proxy


def test_all_proxy_is_for_what_has_none():
    assert proxy_for(urlsplit("https://a.test"), proxy_mounts({"all": "socks5://proxy:3"})) == "socks5://proxy:3"
    assert proxy_for(urlsplit("https://a.test"), {}) is None


def test_the_extras_are_those_that_can_be_installed(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"bench", "dev", "docs"}
    assert "cli: rich " in found(line, "--offline", "--provider", "ollama")["extras"]["told"]
    monkeypatch.setitem(EXTRAS, "redis", ("no-such-package",))
    told = found(line, "--offline", "--provider", "ollama")["extras"]
    assert "not installed: redis" in told["told"]
    assert told["advice"] == "pip install 'codex-client[redis]' if you need it"


def test_on_a_terminal_the_verdicts_are_coloured(line: CommandLine):
    line.run("doctor", "--offline", "--provider", "chatgpt", terminal=True)
    assert "-> log in with `codex-client login`" in line.shown
    assert "1 check failed" in line.shown
