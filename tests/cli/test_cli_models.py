"""`codex-client models`: whose list is shown, how old it is, and what is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from codex_client.cli.completion import provider_names
from codex_client.model_provider import ModelProviderInfo
from codex_client.models import BUILT_IN_MODELS, MODEL_ALIASES
from codex_client.testing import ReplayServer, Reply
from tests.support.command_line import CommandLine

NOW = 1_700_000_000.0
LIST = {
    "models": [
        {
            "slug": "gpt-a",
            "supported_reasoning_levels": [{"effort": "low"}, {"effort": "high"}],
            "default_reasoning_level": "low",
            "support_verbosity": True,
            "default_verbosity": "medium",
            "context_window": 272_000,
        },
        {"slug": "gpt-5"},
        {"slug": "gpt-c", "supported_reasoning_levels": []},
        {"slug": "gpt-h\x1b[31m", "visibility": "hide"},
    ]
}


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "CODEX_CLIENT_API_KEY", "CODEX_CLIENT_PROVIDER", "CODEX_CLIENT_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listing(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], ReplayServer]]:
    """A server of models that answers by a script; the environment's provider."""
    with ExitStack() as opened:

        def start(script: Any) -> ReplayServer:
            server = opened.enter_context(line.portal.wrap_async_context_manager(ReplayServer(script)))
            monkeypatch.setenv("CODEX_CLIENT_BASE_URL", server.base_url)
            return server

        yield start


def shown(line: CommandLine, *arguments: str) -> list[str]:
    """The lines of the command, each with single blanks."""
    return [" ".join(text.split()) for text in line.run("models", *arguments).stdout.splitlines()]


def told(line: CommandLine, *arguments: str) -> dict[str, Any]:
    ended = line.run("models", "--json", *arguments)
    assert ended.exit_code == 0, ended.stderr
    return json.loads(ended.stdout)


def test_M1_the_server_s_list_is_shown_with_what_is_known_beside(
    line: CommandLine, listing: Callable[[Any], ReplayServer]
):
    listing([Reply.from_json(LIST)])
    ended = line.run("models")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert [" ".join(text.split()) for text in ended.stdout.splitlines()] == [
        "MODEL EFFORT VERBOSITY CONTEXT OUTPUT",
        "gpt-a low* high low medium* high 272,000 -",
        "gpt-5 minimal low medium* high low medium* high 400,000 128,000",
        "gpt-c takes none - - -",
        "",
        "4 models, told by custom just now",
        "1 hidden model left out; --json has all",
        "* holds where a request names none; - is not known",
    ]


def test_M1_a_list_is_kept_for_five_minutes_and_then_asked_for_by_its_version(
    line: CommandLine, listing: Callable[[Any], ReplayServer]
):
    server = listing([Reply.from_json(LIST, headers={"etag": '"v1"'}), Reply(status=304), Reply(status=304)])
    first = told(line)
    line.clock.advance(299)
    second = told(line)
    assert len(server.requests) == 1
    assert (first["source"], second["source"]) == ("server", "cache")
    assert second == {**first, "source": "cache"}
    assert "4 models, told by custom 4 min ago" in shown(line)
    line.clock.advance(1)
    third = told(line)
    assert [request.headers.get("if-none-match") for request in server.requests] == [None, '"v1"']
    assert (third["source"], third["fetched_at"]) == ("server", first["fetched_at"] + 300)
    assert third["models"] == first["models"]


def test_refresh_asks_however_new_the_list_is(line: CommandLine, listing: Callable[[Any], ReplayServer]):
    server = listing([Reply.from_json(LIST), Reply.from_json({"models": [{"slug": "new"}]})])
    told(line)
    assert [model["slug"] for model in told(line, "--refresh")["models"]] == ["new"]
    assert len(server.requests) == 2


def test_a_refresh_that_fails_is_an_error_with_the_old_list_kept(
    line: CommandLine, listing: Callable[[Any], ReplayServer]
):
    listing([Reply.from_json(LIST), Reply(status=503)])
    told(line)
    ended = line.run("models", "--refresh")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "503" in ended.stderr
    assert told(line)["source"] == "cache"


def test_where_the_provider_cannot_be_asked_the_old_list_is_shown_with_its_age(
    line: CommandLine, listing: Callable[[Any], ReplayServer]
):
    listing([Reply.from_json(LIST), Reply(status=503)])
    told(line)
    line.clock.advance(7200)
    ended = line.run("models")
    assert ended.exit_code == 0
    assert ended.stderr.startswith("warning: custom could not be asked for its models: unexpected status 503")
    assert "4 models, told by custom 2 h ago" in ended.stdout


def test_a_provider_of_other_models_has_no_built_in_list(line: CommandLine, listing: Callable[[Any], ReplayServer]):
    server = listing([Reply(status=503)])
    failed, offline = line.run("models"), line.run("models", "--offline")
    assert (failed.exit_code, offline.exit_code) == (1, 2)
    assert "503" in failed.stderr
    assert "no list of the models of 'custom' is kept here" in offline.stderr
    assert failed.stdout == offline.stdout == ""
    assert len(server.requests) == 1


def test_without_a_key_the_built_in_list_is_shown_and_said_to_be_one(line: CommandLine):
    ended = line.run("models", "--provider", "openai")
    assert ended.exit_code == 0
    assert "warning: openai could not be asked for its models: no API key" in ended.stderr
    assert "of the list that comes with codex-client; openai has not been asked" in ended.stdout
    assert line.run("models", "--provider", "openai", "--refresh").exit_code == 2


def test_offline_asks_nobody_and_says_nothing_of_it(line: CommandLine, listing: Callable[[Any], ReplayServer]):
    server = listing([Reply.from_json(LIST)])
    told(line)
    line.clock.advance(10_000)
    assert told(line, "--offline")["source"] == "cache"
    assert len(server.requests) == 1
    ended = line.run("models", "--offline", "--json", "--provider", "openai")
    assert (ended.exit_code, ended.stderr) == (0, "")
    known = json.loads(ended.stdout)
    assert (known["source"], known["fetched_at"], known["aliases"]) == ("built-in", None, MODEL_ALIASES)
    assert [model["slug"] for model in known["models"]] == list(BUILT_IN_MODELS.slugs)


def test_M1_an_account_s_models_are_asked_for_with_its_login(line: CommandLine):
    account = line.server.add_account("acct-1", models=("gpt-5", "gpt-5-mini"))
    line.keep(account)
    known = told(line, "--provider", "chatgpt")
    assert [model["slug"] for model in known["models"]] == ["gpt-5", "gpt-5-mini"]
    assert (known["source"], known["etag"]) == ("server", 'W/"models-1"')
    (request,) = account.requests
    assert (request.method, request.path) == ("GET", "/backend-api/codex/models")
    assert request.headers["chatgpt-account-id"] == "acct-1"


def test_a_key_of_the_environment_for_the_named_provider_is_asked_with_in_place_of_accounts(
    line: CommandLine, listing: Callable[[Any], ReplayServer], monkeypatch: pytest.MonkeyPatch
):
    server = listing([Reply.from_json(LIST)])
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "chatgpt")
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", "zzKeyOfTheEnvironment0123")
    assert told(line, "--provider", "chatgpt")["source"] == "server"
    assert server.requests[0].headers["authorization"] == "Bearer zzKeyOfTheEnvironment0123"


def test_where_nobody_is_logged_in_that_is_said(line: CommandLine):
    ended = line.run("models", "--provider", "chatgpt")
    assert ended.exit_code == 0
    assert "could not be asked for its models: " in ended.stderr
    assert "codex-client login" in ended.stderr
    assert line.run("models", "--provider", "chatgpt", "--refresh").exit_code == 3


def test_a_login_is_not_sent_in_the_clear(line: CommandLine):
    account = line.server.add_account("acct-1")
    line.keep(account)
    provider = ModelProviderInfo(name="chatgpt", base_url="http://far.test/backend-api/codex")
    ended = line.run("models", "--provider", "chatgpt", "--refresh", provider=provider)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "is not https" in ended.stderr


def test_each_server_has_a_list_of_its_own(line: CommandLine, listing: Callable[[Any], ReplayServer]):
    listing([Reply.from_json({"data": [{"id": "one"}]})])
    assert [model["slug"] for model in told(line)["models"]] == ["one"]
    listing([Reply.from_json({"data": [{"id": "two"}]})])
    assert [model["slug"] for model in told(line)["models"]] == ["two"]


def test_no_key_is_in_the_file(
    line: CommandLine, listing: Callable[[Any], ReplayServer], monkeypatch: pytest.MonkeyPatch
):
    key = "zzTopSecretKey0123456789"
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", key)
    server = listing([Reply.from_json({"data": [{"id": f"model of {key}"}]}, headers={"etag": key})])
    told(line)
    assert server.requests[0].headers["authorization"] == f"Bearer {key}"
    assert key not in (line.home / "models.json").read_text()


def test_a_list_that_cannot_be_kept_is_shown_all_the_same(line: CommandLine, listing: Callable[[Any], ReplayServer]):
    listing([Reply.from_json(LIST)])
    line.home.mkdir()
    (line.home / "models.json").mkdir()
    ended = line.run("models")
    assert ended.exit_code == 0
    assert "gpt-a" in ended.stdout
    assert ended.stderr.startswith("warning: the list is not kept: ")


def test_M4_aliases_are_shown_without_asking_anybody(line: CommandLine):
    assert shown(line, "--aliases") == [
        "ALIAS MODEL",
        *(f"{alias} {slug}" for alias, slug in sorted(MODEL_ALIASES.items())),
    ]
    assert told(line, "--aliases") == {"aliases": MODEL_ALIASES}


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--refresh", "--offline"], "give one of them"),
        (["--provider", "nobody"], "unknown provider 'nobody'; known are"),
    ],
)
def test_what_cannot_be_done_is_wrong_usage(line: CommandLine, arguments: list[str], words: str):
    ended = line.run("models", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert words in " ".join(ended.stderr.replace("│", " ").split())


def test_a_narrow_terminal_shows_whole_names(line: CommandLine):
    line.run("models", "--offline", "--provider", "openai", terminal=True, size=(60, 25))
    assert all(model.slug in line.shown for model in BUILT_IN_MODELS if not model.hidden)


def test_the_shell_offers_the_providers():
    assert provider_names("op") == ["openai", "openrouter"]


def test_a_server_may_be_named_by_its_address(line: CommandLine, listing: Callable[[Any], ReplayServer]):
    server = listing([Reply.from_json({"object": "list", "data": [{"id": "a-model"}]})])
    ended = line.run("models", "--json", "--base-url", server.base_url, "--wire-api", "chat")
    assert ended.exit_code == 0, ended.stderr
    listed = json.loads(ended.stdout)
    assert ([each["slug"] for each in listed["models"]], listed["aliases"]) == (["a-model"], {})


def test_that_a_provider_has_no_aliases_is_said(line: CommandLine):
    ended = line.run("models", "--aliases", "--provider", "ollama")
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert ended.stderr == "no other names are known of the models of 'ollama'\n"
    assert told(line, "--aliases", "--provider", "ollama") == {"aliases": {}}
    assert told(line, "--aliases", "--provider", "openai") == {"aliases": dict(MODEL_ALIASES)}
