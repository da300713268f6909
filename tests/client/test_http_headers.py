"""Who sets which header of a request, and what of it is secret."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.api import Lease
from codex_client.backend_profile import BackendProfile
from codex_client.client.config import ClientConfig
from codex_client.client.request_headers import blank_secrets, request_headers, secret_values
from codex_client.errors import ConfigurationError
from codex_client.model_provider import ModelProviderInfo

CANARY = "canary-0123456789"


def provider(**options: Any) -> ModelProviderInfo:
    return ModelProviderInfo(name="test", base_url="https://api.test/v1", **options)


def headers_of(
    info: ModelProviderInfo | None = None,
    *,
    lease: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    conversation_id: str | None = None,
    of_turn: Mapping[str, str] | None = None,
    **options: Any,
) -> dict[str, str]:
    config = ClientConfig(provider=info or provider(), model="m", **options)
    return request_headers(
        config,
        Lease(lease or {}),
        client_request_id="turn-1",
        environ=environ or {},
        conversation_id=conversation_id,
        of_turn=of_turn,
    )


class Customizer:
    def __init__(self, changes: Mapping[str, str | None]) -> None:
        self.changes = changes
        self.seen: dict[str, str] = {}

    def customize(self, headers: dict[str, str]) -> None:
        self.seen = dict(headers)
        for name, value in self.changes.items():
            if value is None:
                del headers[name]
            else:
                headers[name] = value


def test_without_configuration_only_the_defaults_are_sent() -> None:
    headers = headers_of()
    agent = headers.pop("user-agent")
    assert headers == {
        "accept": "text/event-stream",
        "accept-encoding": "gzip, deflate",
        "content-type": "application/json",
        "x-client-request-id": "turn-1",
    }
    assert re.fullmatch(rf"codex_client/\S+ \(python 3\.\d+\.\S+; {sys.platform}\)", agent)


def test_the_conversation_goes_out_under_both_generations_of_names() -> None:
    headers = headers_of(conversation_id="c-1")
    names = {name for name, value in headers.items() if value == "c-1"}
    assert names == {"conversation_id", "session_id", "session-id", "thread-id"}


def test_the_profile_and_the_turn_stand_below_what_anybody_sets() -> None:
    profile = BackendProfile(name="p", headers={"Originator": "profile", "x-0": "profile", "x-1": "profile"})
    info = provider(profile=profile, http_headers={"x-1": "provider"})
    headers = headers_of(info, of_turn={"x-0": "turn", "x-2": "turn"}, extra_headers={"X-2": "extra"})
    assert headers["originator"] == "profile"
    assert [headers[name] for name in ("x-0", "x-1", "x-2")] == ["turn", "provider", "extra"]


def test_each_layer_wins_over_the_one_below() -> None:
    customizer = Customizer({"x-3": "customizer", "x-4": "customizer"})
    info = provider(
        http_headers={"Accept": "provider", "X-0": "provider", "X-1": "provider", "X-2": "provider"},
        env_http_headers={"X-1": "ONE", "X-2": "TWO", "X-3": "THREE"},
    )
    environ = {"ONE": "environment", "TWO": "environment", "THREE": "environment"}
    headers = headers_of(
        info,
        environ=environ,
        extra_headers={"x-2": "extra", "X-3": "extra"},
        customizer=customizer,
        lease={"X-4": "credential"},
    )
    assert {name: value for name, value in headers.items() if name.startswith(("x-0", "x-1", "x-2", "x-3", "x-4"))} == {
        "x-0": "provider",
        "x-1": "environment",
        "x-2": "extra",
        "x-3": "customizer",
        "x-4": "credential",
    }
    assert headers["accept"] == "provider"


@pytest.mark.parametrize("environ", [{}, {"ORG": ""}, {"ORG": " \t "}])
def test_a_header_from_an_unset_or_blank_variable_is_left_out(environ: dict[str, str]) -> None:
    assert "openai-organization" not in headers_of(
        provider(env_http_headers={"OpenAI-Organization": "ORG"}), environ=environ
    )


def test_the_customizer_sees_everything_but_the_credential_and_may_remove() -> None:
    customizer = Customizer({"accept": None, "X-Added": "1"})
    headers = headers_of(customizer=customizer, extra_headers={"X-Extra": "1"}, lease={"authorization": "Bearer k"})
    assert "authorization" not in customizer.seen
    assert customizer.seen["x-extra"] == "1"
    assert "accept" not in headers
    assert headers["x-added"] == "1"
    assert headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("value", ["caf\xe9", "tab\tinside", "", "\xa0", "~!@#$%^&*()"])
def test_what_latin_1_can_say_is_sent(value: str) -> None:
    assert headers_of(extra_headers={"x-note": value})["x-note"] == value


def test_blanks_around_a_value_are_not_part_of_it() -> None:
    assert headers_of(extra_headers={"x-note": "  a b\t"})["x-note"] == "a b"


@pytest.mark.parametrize("bad", ["\n", "\r", "\r\n", "\0", "\x7f", "\x1b", "\u20ac", "\u2019", "\U0001f600"])
@pytest.mark.parametrize("layer", ["http_headers", "extra_headers", "lease"])
def test_a_value_that_http_cannot_carry_is_refused_by_name_and_not_shown(bad: str, layer: str) -> None:
    header = {"X-Mark": f"{CANARY}{bad}x-injected: 1"}
    options: dict[str, Any] = {"info": provider(http_headers=header)} if layer == "http_headers" else {layer: header}
    with pytest.raises(ConfigurationError) as caught:
        headers_of(**options)
    assert "'x-mark'" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("name", ["", "x y", "x:y", "x\ny", "\xe9", "x\0"])
def test_a_name_that_http_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name for an HTTP header"):
        headers_of(extra_headers={name: "1"})


def test_secrets_are_the_credential_and_what_is_named_like_one() -> None:
    lease = Lease({"authorization": "Bearer sk/abcdefgh", "chatgpt-account-id": "account-1234"})
    headers = {
        "authorization": "Bearer sk/abcdefgh",
        "x-api-key": "0123456789",
        "x-auth-token": "short",
        "cookie": "session=abcdef",
        "user-agent": "codex_client/1",
        "openai-organization": "org-12345678",
    }
    assert secret_values(headers, {"key": "query-secret", "api-version": "2025-01-01"}, lease) == [
        "Bearer%20sk%2Fabcdefgh",
        r"Bearer sk\/abcdefgh",
        "Bearer sk/abcdefgh",
        "session%3Dabcdef",
        "session=abcdef",
        "sk%2Fabcdefgh",
        "account-1234",
        "query-secret",
        r"sk\/abcdefgh",
        "sk/abcdefgh",
        "0123456789",
    ]


@given(st.lists(st.text(min_size=8, max_size=20), max_size=4), st.lists(st.text(max_size=10), max_size=5))
def test_no_secret_stays_in_a_blanked_text(secrets: list[str], words: list[str]) -> None:
    secrets = secret_values({}, {}, Lease({str(number): secret for number, secret in enumerate(secrets)}))
    text = " - ".join([*words, *secrets, *words])
    assert not any(secret in blank_secrets(text, secrets) for secret in secrets)
