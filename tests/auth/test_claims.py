"""What is read from a JWT: every place where issuers have put it, and nothing from what is none."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.auth.claims import Claims, read_claims
from tests.support.kept_secrets import assert_kept

AUTH = "https://api.openai.com/auth"


def jwt(payload: Any) -> str:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return f"eyJhbGciOiJub25lIn0.{urlsafe_b64encode(text.encode()).rstrip(b'=').decode()}.sig"


def test_everything_is_read_from_where_the_issuer_puts_it() -> None:
    token = jwt(
        {
            "sub": "user-1",
            "email": "one@example.test",
            "exp": 1_900_000_000,
            AUTH: {
                "chatgpt_account_id": "acct-1",
                "chatgpt_plan_type": "pro",
                "organization_id": "org-1",
                "project_id": "proj-1",
            },
        }
    )
    assert read_claims(token) == Claims(
        subject="user-1",
        account_id="acct-1",
        plan_type="pro",
        email="one@example.test",
        expires_at=1_900_000_000.0,
        organization_id="org-1",
        project_id="proj-1",
    )


@pytest.mark.parametrize(
    "payload, account_id",
    [
        ({AUTH: {"chatgpt_account_id": "nested"}}, "nested"),
        ({"chatgpt_account_id": "plain"}, "plain"),
        ({f"{AUTH}.chatgpt_account_id": "dotted"}, "dotted"),
        ({AUTH: {"organizations": [{"id": "org-1"}, {"id": "org-2"}]}}, "org-1"),
        ({"organizations": [{"id": "org-3"}]}, "org-3"),
        ({AUTH: {"chatgpt_account_id": "nested", "organizations": [{"id": "org-1"}]}}, "nested"),
        ({AUTH: {"organizations": []}, "organizations": [{}]}, None),
        ({AUTH: "odd"}, None),
    ],
)
def test_the_account_is_found_in_each_of_its_places(payload: dict[str, Any], account_id: str | None) -> None:
    assert read_claims(jwt(payload)).account_id == account_id


@pytest.mark.parametrize(
    "payload, subject, email",
    [
        ({AUTH: {"chatgpt_user_id": "user-1"}}, "user-1", None),
        ({AUTH: {"user_id": "user-2"}}, "user-2", None),
        ({"sub": " ", AUTH: {"user_id": "user-2"}}, "user-2", None),
        ({"https://api.openai.com/profile": {"email": "a@b.test"}}, None, "a@b.test"),
        ({"email": 7}, None, None),
    ],
)
def test_person_and_address_have_second_places(payload: dict[str, Any], subject: str | None, email: str | None) -> None:
    claims = read_claims(jwt(payload))
    assert (claims.subject, claims.email) == (subject, email)


@pytest.mark.parametrize(
    "exp, expires_at",
    [
        ("1900000000", 1.9e9),
        ("1900000000.5", 1_900_000_000.5),
        ("1900000000000", 1.9e9),
        ("0", None),
        ("-1", None),
        ("true", None),
        ("null", None),
        ('"soon"', None),
        ("NaN", None),
        ("Infinity", None),
        ("1" + "0" * 400, None),
    ],
)
def test_the_expiry_counts_seconds_or_milliseconds(exp: str, expires_at: float | None) -> None:
    assert read_claims(jwt(f'{{"exp": {exp}}}')).expires_at == expires_at


@pytest.mark.parametrize(
    "token", [None, "", "sk-key", "a.b", "a.b.c", "a.b.c.d", "é.é.é", jwt("[1]"), jwt("{"), jwt("[" * 100_000), "..."]
)
def test_what_is_no_jwt_has_no_claims(token: str | None) -> None:
    assert read_claims(token) == Claims()


@given(
    st.text(),
    st.recursive(
        st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
)
def test_nothing_makes_it_raise(text: str, value: Any) -> None:
    read_claims(text)
    read_claims(f"a.{text}.b")
    read_claims(jwt({AUTH: value, "exp": value, "sub": value, "organizations": value}))


def test_the_repr_shows_no_address() -> None:
    assert_kept(["one@example.test"], read_claims(jwt({"email": "one@example.test"})))
