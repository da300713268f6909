"""A browser login that is under way: its URL, its way to another process, and every form that its answer has."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.login_handle import HANDLE_LIFETIME, Callback, LoginHandle
from codex_client.auth.pkce import Pkce
from codex_client.errors import LoginError
from tests.support.kept_secrets import assert_kept

VERIFIER = "canary-verifier-" + "v" * 70
STATE = "canary-state-0123456789"
CODE = "ac_canary-code-0123456789"
NOW = 1_700_000_000.0
REDIRECT = "http://localhost:1455/auth/callback"


def handle(**options: Any) -> LoginHandle:
    return LoginHandle.start(OAuthIssuer(**options), pkce=Pkce(VERIFIER), state=STATE, redirect_uri=REDIRECT, now=NOW)


def test_the_url_has_the_parameters_of_the_codex_cli_in_its_order() -> None:
    parts = urlsplit(handle(workspace_id="ws-1", originator="my_agent").url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://auth.openai.com/oauth/authorize"
    assert parse_qsl(parts.query) == [
        ("response_type", "code"),
        ("client_id", "app_EMoamEEZ73f0CkXaXp7hrann"),
        ("redirect_uri", REDIRECT),
        ("code_challenge", Pkce(VERIFIER).challenge),
        ("code_challenge_method", "S256"),
        ("state", STATE),
        ("scope", "openid profile email offline_access"),
        ("id_token_add_organizations", "true"),
        ("codex_cli_simplified_flow", "true"),
        ("originator", "my_agent"),
        ("allowed_workspace_id", "ws-1"),
    ]
    # A plus would be a plus to those who read it as a path.
    assert "scope=openid%20profile%20email%20offline_access" in parts.query


def test_no_workspace_is_named_unless_one_is_asked_for() -> None:
    assert "allowed_workspace_id" not in handle().url


def test_the_verifier_is_not_in_the_url() -> None:
    assert VERIFIER not in handle().url


def test_it_goes_to_another_process_and_back() -> None:
    assert LoginHandle.from_json(handle().to_json()) == handle()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"verifier": ""},
        {"verifier": 7},
        {"started_at": "soon"},
        {"started_at": True},
        {"extra": "x"},
    ],
    ids=str,
)
def test_a_handle_that_is_none_is_refused_without_being_shown(change: dict[str, Any]) -> None:
    text = json.dumps(json.loads(handle().to_json()) | change)
    with pytest.raises(LoginError, match="start the login again") as caught:
        LoginHandle.from_json(text)
    assert_kept([VERIFIER, STATE], caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_json_is_no_handle(text: str) -> None:
    with pytest.raises(LoginError, match="start the login again"):
        LoginHandle.from_json(text)


def test_it_lasts_for_half_an_hour_and_bears_a_clock_that_is_behind() -> None:
    ages = {-301.0: True, -300.0: False, 0.0: False, HANDLE_LIFETIME: False, HANDLE_LIFETIME + 1: True}
    assert {age: handle().has_expired(NOW + age) for age in ages} == ages


@pytest.mark.parametrize(
    "text",
    [
        f"{REDIRECT}?code={CODE}&state={STATE}",
        f"  <{REDIRECT}?scope=openid&state={STATE}&code={CODE}>\n",
        f"{REDIRECT}?code={CODE}&state={STATE}#",
        f"localhost:1455/auth/callback?code={CODE}&state={STATE}",
        f"{REDIRECT}?code={CODE[:10]}\n{CODE[10:]}&state={STATE}",
        f"?code={CODE}&state={STATE}",
        f"code={CODE}&state={STATE}",
        f"state={STATE}&code={quote(CODE)}",
        f"{CODE}#{STATE}",
        f'"{CODE}#{STATE}"',
    ],
)
def test_every_form_with_a_state_is_taken(text: str) -> None:
    assert handle().read_paste(text) == Callback(code=CODE)


@pytest.mark.parametrize("text", [CODE, f" {CODE}\n", f"'{CODE}'"])
def test_a_bare_code_is_taken_unchecked(text: str) -> None:
    assert handle().read_paste(text) == Callback(code=CODE, is_unchecked=True)


@pytest.mark.parametrize(
    "text",
    [
        f"{REDIRECT}?code={CODE}&state=other",
        f"code={CODE}&state=",
        f"code={CODE}&state={STATE}x",
        f"code={CODE}&state={quote('é')}",
        f"{CODE}#other",
        f"{CODE}#",
        "error=access_denied&state=other",
    ],
)
def test_the_answer_of_another_login_is_refused(text: str) -> None:
    callback = handle().read_paste(text)
    assert (callback.code, callback.is_stray) == (None, True)
    assert "the state does not match: this belongs to another login" in (callback.problem or "")


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "nothing was pasted"),
        (" <> \n", "nothing was pasted"),
        (f"{REDIRECT}?code={CODE}", "the address has a code but no state"),
        (f"{REDIRECT}?state={STATE}", "the address has no code in it"),
        (f"{REDIRECT}?code=&state={STATE}", "the address has no code in it"),
        (REDIRECT, "neither an address with a code in it nor a code"),
        ("yes please, log me in!", "neither an address with a code in it nor a code"),
        ("abc", "neither an address with a code in it nor a code"),
        ("é" * 20, "neither an address with a code in it nor a code"),
        ("x" * 20_000, "neither an address with a code in it nor a code"),
        ("&".join(f"a{number}=b" for number in range(60)), "neither an address with a code in it nor a code"),
    ],
)
def test_what_has_no_code_says_what_is_wrong(text: str, problem: str) -> None:
    callback = handle().read_paste(text)
    assert (callback.code, callback.is_stray) == (None, False)
    assert problem in (callback.problem or "")


def test_the_url_of_the_login_itself_is_no_answer() -> None:
    assert "it must be the one that the browser shows after the login" in (
        handle().read_paste(handle().url).problem or ""
    )


@pytest.mark.parametrize(
    "query, problem",
    [
        ("error=access_denied", "the login was refused on the page (access_denied); start the login again"),
        (
            "error=access_denied&error_description=missing_codex_entitlement",
            "the workspace does not include Codex; choose another one, or ask its administrator for access",
        ),
        ("error=server_error", "the issuer had a fault (server_error); start the login again"),
        ("error=odd_thing", "the issuer ended the login: odd_thing; start the login again"),
        (
            "error=odd&error_description=Too+many%0Alogins",
            "the issuer ended the login: odd Too many logins; start the login again",
        ),
        ("error=", "the issuer ended the login: no reason given; start the login again"),
    ],
)
def test_an_error_is_told_in_words(query: str, problem: str) -> None:
    assert handle().read_paste(query) == Callback(problem=problem)
    assert handle().read_paste(f"{REDIRECT}?{query}&state={STATE}") == Callback(problem=problem)
    assert handle().read_redirect(f"{query}&state={STATE}") == Callback(problem=problem)


def test_an_error_is_quoted_without_its_secrets_and_in_short() -> None:
    secrets = [VERIFIER, STATE, "one@example.test", "eyJhbGciOiJub25lIn0.e30.x", "dG9rZW4tY2FuYXJ5LTAxMjM0NTY3ODk="]
    echoed = quote(" ".join([*secrets, STATE.encode().hex(), "and so on" * 100]))
    problem = handle().read_paste(f"error=odd&error_description={echoed}").problem or ""
    assert_kept(secrets, problem)
    assert len(problem) < 300
    assert "and so on" in problem


@pytest.mark.parametrize(
    "query", ["", f"code={CODE}", f"code={CODE}&state=x", "error=access_denied", f"{CODE}#{STATE}"]
)
def test_a_redirect_without_our_state_is_stray(query: str) -> None:
    callback = handle().read_redirect(query)
    assert (callback.code, callback.is_stray) == (None, True)


def test_a_redirect_with_our_state_is_ours() -> None:
    assert handle().read_redirect(f"code={CODE}&state={STATE}") == Callback(code=CODE)


def test_reprs_show_no_secret() -> None:
    assert_kept([VERIFIER, STATE, CODE], handle(), handle().read_paste(CODE))
