"""`connect`: argument over environment over default, seen by what reaches a server; and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from codex_client.auth.static import NoAuth
from codex_client.clients.chat import ChatCompletionsApiClient
from codex_client.clients.responses import ResponsesApiClient
from codex_client.connecting import connect
from codex_client.errors import ConfigurationError, InvalidPayloadError, MissingCredentialsError
from codex_client.model_provider import ModelProviderInfo, WireApi, built_in_providers
from codex_client.prompt import Prompt
from codex_client.testing import (
    RealRequestError,
    RecordedRequest,
    ReplayServer,
    chat_turn,
    no_real_requests,
    responses_turn,
    sse,
)

# Enough for a turn at a server on loopback; a row's own variable is taken out and put in.
ENVIRONMENT = {"CODEX_CLIENT_MODEL": "m", "OPENAI_API_KEY": "sk-openai", "OPENAI_BASE_URL": "{here}"}


@dataclass(frozen=True)
class Row:
    """One variable, and what one fact of the request (or the error) is without it, with it, and with its argument.

    "{here}" and "{there}" stand for the base URLs of two servers.
    """

    variable: str
    value: str
    arguments: Mapping[str, Any]
    fact: str
    default: str | type[Exception] | None
    told: str
    argued: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


ROWS = [
    Row("CODEX_CLIENT_MODEL", "variable", {"model": "argument"}, "model", InvalidPayloadError, "variable", "argument"),
    Row(
        "CODEX_CLIENT_PROVIDER",
        "ollama",
        {"provider": "lmstudio", "base_url": "{here}"},
        "url",
        "{here}/responses",
        "{here}/chat/completions",
        "{here}/responses",
        environment={"CODEX_CLIENT_BASE_URL": "{here}"},
    ),
    Row(
        "CODEX_CLIENT_BASE_URL",
        "{there}",
        {"base_url": "{here}/deeper"},
        "url",
        "{here}/responses",
        "{there}/responses",
        "{here}/deeper/responses",
    ),
    Row(
        "OPENAI_BASE_URL",
        "{there}",
        {"base_url": "{here}/deeper"},
        "url",
        RealRequestError,
        "{there}/responses",
        "{here}/deeper/responses",
    ),
    Row(
        "CODEX_CLIENT_WIRE_API",
        "chat",
        {"wire_api": "responses"},
        "url",
        "{here}/responses",
        "{here}/chat/completions",
        "{here}/responses",
    ),
    Row(
        "CODEX_CLIENT_API_KEY",
        "sk-variable",
        {"auth": "sk-argument"},
        "authorization",
        "Bearer sk-openai",
        "Bearer sk-variable",
        "Bearer sk-argument",
    ),
    Row(
        "OPENAI_API_KEY",
        "sk-variable",
        {"auth": "sk-argument"},
        "authorization",
        MissingCredentialsError,
        "Bearer sk-variable",
        "Bearer sk-argument",
    ),
    Row(
        "OPENAI_ORGANIZATION",
        "variable",
        {"extra_headers": {"openai-organization": "argument"}},
        "openai-organization",
        None,
        "variable",
        "argument",
    ),
    Row(
        "OPENAI_PROJECT",
        "variable",
        {"extra_headers": {"openai-project": "argument"}},
        "openai-project",
        None,
        "variable",
        "argument",
    ),
]
EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.variable)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for info in built_in_providers().values():
        if info.env_key:
            monkeypatch.delenv(info.env_key, raising=False)


def answer(request: RecordedRequest) -> bytes:
    if request.path.endswith("/responses"):
        return sse(responses_turn("Hello."))
    return sse(chat_turn("Hello."), done=True)


async def outcome(
    monkeypatch: pytest.MonkeyPatch, fact: str, environment: Mapping[str, str], arguments: Mapping[str, Any]
) -> str | type[Exception] | None:
    """The fact of the request that a client sends, or the class of what is raised."""
    async with ReplayServer(answer) as here, ReplayServer(answer) as there:
        urls = {"{here}": here.base_url, "{there}": there.base_url}
        for name in ENVIRONMENT.keys() | {row.variable for row in ROWS}:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, filled(value, urls))
        try:
            async with connect(**{name: filled(value, urls) for name, value in arguments.items()}) as client:
                await client.collect(Prompt("hello"))
        except (ConfigurationError, RealRequestError) as error:
            return type(error)
        return fact_of(fact, here, there)


def filled(value: Any, urls: Mapping[str, str]) -> Any:
    return re.sub(r"\{\w+\}", lambda found: urls[found[0]], value) if isinstance(value, str) else value


def fact_of(fact: str, here: ReplayServer, there: ReplayServer) -> str | None:
    [(place, request)] = [
        (place, request) for place, server in (("{here}", here), ("{there}", there)) for request in server.requests
    ]
    match fact:
        case "model":
            return request.json()["model"]
        case "url":
            return place + request.path.removeprefix("/v1")
        case header:
            return request.headers.get(header)


@EACH_ROW
async def test_an_argument_wins_over_its_variable_and_that_over_the_default(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {name: value for name, value in {**ENVIRONMENT, **row.environment}.items() if name != row.variable}
    told = {**without, row.variable: row.value}
    with no_real_requests():
        assert await outcome(monkeypatch, row.fact, without, {}) == row.default
        assert await outcome(monkeypatch, row.fact, told, {}) == row.told
        assert await outcome(monkeypatch, row.fact, told, row.arguments) == row.argued


@EACH_ROW
async def test_a_blank_variable_counts_as_unset(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    blank = {**ENVIRONMENT, **row.environment, row.variable: "  "}
    with no_real_requests():
        assert await outcome(monkeypatch, row.fact, blank, {}) == row.default


@pytest.mark.parametrize(
    "provider, variable",
    [
        (info.name, info.env_key)
        for info in built_in_providers().values()
        if info.env_key is not None and not info.account_login
    ],
)
def test_a_missing_key_is_told_at_once_with_its_variable(provider: str, variable: str) -> None:
    with pytest.raises(
        MissingCredentialsError, match=f"no API key for provider '{provider}'; set {variable}"
    ) as raised:
        connect("m", provider=provider)
    assert raised.value.env_key == variable


def test_a_blank_key_counts_as_missing_and_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", " ")
    with pytest.raises(MissingCredentialsError, match="provider 'groq': GROQ_API_KEY is blank; set GROQ_API_KEY"):
        connect("m", provider="groq")


@pytest.mark.parametrize("provider", [info.name for info in built_in_providers().values() if info.env_key is None])
def test_a_provider_that_needs_no_key_asks_for_none(provider: str) -> None:
    connect("m", provider=provider)


def test_given_credentials_need_no_variable() -> None:
    connect("m", auth="sk-argument")
    connect("m", auth=NoAuth())


@pytest.mark.parametrize(
    "key, authorization", [(None, None), ("sk-openai", "Bearer sk-openai")], ids=["without a key", "with a key"]
)
async def test_a_server_named_by_its_address_gets_the_common_key_where_there_is_one(
    key: str | None, authorization: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"CODEX_CLIENT_MODEL": "m", **({"OPENAI_API_KEY": key} if key else {})}
    assert await outcome(monkeypatch, "authorization", environment, {"base_url": "{here}"}) == authorization


async def test_the_address_of_openai_is_not_that_of_another_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**ENVIRONMENT, "GROQ_API_KEY": "gsk-example"}
    with no_real_requests():
        assert await outcome(monkeypatch, "url", environment, {"provider": "groq"}) is RealRequestError


@pytest.mark.parametrize("wire_api", ["chat", WireApi.CHAT, None], ids=["by name", "by value", "the provider's"])
def test_a_client_of_the_chat_api(wire_api: Any) -> None:
    provider = ModelProviderInfo(name="p", base_url="http://localhost/v1", wire_api=WireApi.CHAT)
    assert isinstance(connect("m", provider=provider, wire_api=wire_api).api, ChatCompletionsApiClient)


def test_the_named_api_wins_over_the_provider_s() -> None:
    assert isinstance(connect("m", provider="ollama", wire_api="responses").api, ResponsesApiClient)


def test_an_unknown_provider_is_told_with_those_that_are_known() -> None:
    text = r"unknown provider 'opneai'; known are chatgpt, .*openai.*azure_provider.*base_url= alone"
    with pytest.raises(ConfigurationError, match=text):
        connect("m", provider="opneai")


def test_custom_is_no_provider_without_an_address() -> None:
    with pytest.raises(ConfigurationError, match="unknown provider 'custom'"):
        connect("m", provider="custom")


def test_an_unknown_api_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="unknown wire_api 'grpc'; it is 'responses' or 'chat'"):
        connect("m", auth="sk-argument", wire_api="grpc")


async def test_without_a_model_each_prompt_names_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEX_CLIENT_MODEL", raising=False)
    async with ReplayServer([sse(responses_turn("hi"))] * 2) as server:
        async with connect(provider=server.provider()) as client:
            with pytest.raises(InvalidPayloadError) as raised:
                client.stream(Prompt("x"))
            await client.collect(Prompt("x", model="mine"))
            await client.collect(Prompt("x", extra={"model": "of the extra"}))
        assert [request.json()["model"] for request in server.requests] == ["mine", "of the extra"]
    assert raised.value.param == "model"
    assert str(raised.value) == (
        "no model given; name one, such as connect('gpt-5') or Prompt(…, model='gpt-5'), or set CODEX_CLIENT_MODEL"
    )


async def test_a_provider_by_the_name_in_its_variable_is_the_variables_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ReplayServer([sse(chat_turn("hi"), done=True)]) as server:
        monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "chatgpt")
        monkeypatch.setenv("CODEX_CLIENT_BASE_URL", server.base_url)
        monkeypatch.setenv("CODEX_CLIENT_WIRE_API", "chat")
        monkeypatch.setenv("CODEX_CLIENT_API_KEY", "sk-variable")
        async with connect("m", provider="chatgpt") as client:
            await client.collect(Prompt("x"))
        [request] = server.requests
    assert (request.path, request.headers["authorization"]) == ("/v1/chat/completions", "Bearer sk-variable")


@pytest.mark.parametrize(
    "arguments",
    [{"provider": "ollama"}, {"provider": "chatgpt", "base_url": "http://mine.test/v1"}],
    ids=["another name", "another address"],
)
def test_another_server_than_the_variables_has_nothing_of_them(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "chatgpt")
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", "http://theirs.test/v1")
    monkeypatch.setenv("CODEX_CLIENT_WIRE_API", "chat")
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", "sk-variable")
    known = built_in_providers()[arguments["provider"]]
    # A server of logins with neither key nor login says so; the variable's key would keep it silent.
    if known.account_login:
        with pytest.raises(ConfigurationError, match="is not https"):
            connect("m", **arguments)
        return
    config = connect("m", **arguments).config
    assert (config.provider, config.auth) == (known, None)


@pytest.mark.parametrize("wrong", ["provider", "wire_api", "base_url"])
def test_no_key_is_in_the_text_of_a_refusal(wrong: str) -> None:
    arguments: dict[str, Any] = {"model": "m", "auth": "sk-canary", wrong: "nonsense"}
    with pytest.raises(ConfigurationError) as raised:
        connect(**arguments)
    assert "canary" not in str(raised.value)


async def test_a_provider_that_is_an_argument_is_not_mixed_with_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ReplayServer([sse(chat_turn("hi"), done=True)]) as mine, ReplayServer([]) as other:
        monkeypatch.setenv("CODEX_CLIENT_BASE_URL", other.base_url)
        monkeypatch.setenv("CODEX_CLIENT_WIRE_API", "responses")
        monkeypatch.setenv("CODEX_CLIENT_API_KEY", "sk-of-the-other")
        monkeypatch.setenv("MY_KEY", "sk-mine")
        provider = ModelProviderInfo(name="mine", base_url=mine.base_url, wire_api=WireApi.CHAT, env_key="MY_KEY")
        async with connect("m", provider=provider) as client:
            assert (await client.collect(Prompt("x"))).text == "hi"
        assert mine.requests[0].headers["authorization"] == "Bearer sk-mine"
        assert other.connections_made == 0


async def test_an_address_that_is_an_argument_gets_no_key_of_the_environments_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "groq")
    monkeypatch.setenv("GROQ_API_KEY", "sk-of-groq")
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", "sk-of-the-other")
    async with ReplayServer([sse(responses_turn("hi"))]) as server, connect("m", base_url=server.base_url) as client:
        await client.collect(Prompt("x"))
        assert server.requests[0].path == "/v1/responses"
        assert "authorization" not in server.requests[0].headers


async def test_store_reaches_a_responses_server_and_is_refused_for_chat() -> None:
    async with ReplayServer([sse(responses_turn("hi"))]) as server:
        async with connect("m", provider=server.provider(), store=True) as client:
            await client.collect(Prompt("x"))
        assert server.requests[0].json()["store"] is True
        with pytest.raises(ConfigurationError, match="store is an option of the Responses API"):
            connect("m", provider=server.provider(WireApi.CHAT), store=True)
