"""What a token set knows of itself, and how it is written down."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from codex_client.auth.tokens import TokenSet
from tests.support.logins import CANARY, EMAIL, ISSUER, NOW, jwt, login, secrets_of
from tests.support.secrecy import assert_unseen, everything_of


def test_identity_plan_and_end_are_read_from_the_claims() -> None:
    tokens = login("one")
    assert (tokens.account_id, tokens.subject, tokens.plan_type, tokens.email, tokens.expires_at) == (
        "acct-one",
        "user-one",
        "plus",
        EMAIL,
        NOW + 3600,
    )


def test_what_no_claim_tells_is_taken_as_given() -> None:
    tokens = TokenSet.from_tokens("opaque", issuer=ISSUER, account_id="acct-x", expires_at=NOW)
    assert (tokens.account_id, tokens.expires_at, tokens.subject) == ("acct-x", NOW, None)


def test_the_key_is_issuer_account_and_person_and_no_token_or_address() -> None:
    tokens = login("one")
    assert tokens.key == replace(tokens, access_token="other", refresh_token="other", email="other", plan_type="x").key
    others = [replace(tokens, **{name: "other"}) for name in ("issuer", "account_id", "subject")]
    assert len({tokens.key, *(each.key for each in others)}) == 4


def test_tokens_without_an_identity_are_told_apart_by_themselves() -> None:
    first, second = (TokenSet(access_token=token, issuer=ISSUER) for token in ("a", "b"))
    assert first.key != second.key


def test_a_refresh_replaces_what_came_and_reads_the_claims_again() -> None:
    claim = {"chatgpt_account_id": "acct-one", "chatgpt_plan_type": "pro"}
    access = jwt(sub="user-one", exp=NOW + 9000, **{"https://api.openai.com/auth": claim})
    old = login("one")
    new = old.refreshed(access_token=access, refresh_token=None, id_token=None, now=NOW + 10)
    assert new == replace(old, access_token=access, plan_type="pro", expires_at=NOW + 9000, refreshed_at=NOW + 10)
    assert new.key == old.key


@pytest.mark.parametrize("expires_in, expires_at", [(60.0, NOW + 60), (None, None)])
def test_the_end_of_an_opaque_token_is_as_the_issuer_tells(expires_in: float | None, expires_at: float | None) -> None:
    new = login().refreshed(access_token="opaque", refresh_token="r", id_token=None, now=NOW, expires_in=expires_in)
    assert new.expires_at == expires_at


def test_a_refresh_that_brings_no_access_token_leaves_its_end_alone() -> None:
    old = TokenSet(access_token="opaque", refresh_token="r1", issuer=ISSUER, expires_at=NOW + 5)
    new = old.refreshed(access_token=None, refresh_token="r2", id_token=None, now=NOW, expires_in=3600)
    assert new == replace(old, refresh_token="r2", refreshed_at=NOW)


def test_a_lent_copy_has_nothing_that_could_be_rotated() -> None:
    tokens = login()
    assert tokens.lent() == replace(tokens, refresh_token=None, id_token=None, borrowed=True)


@pytest.mark.parametrize("tokens", [login(), login().lent(), TokenSet(access_token="only")])
def test_written_and_read_again_it_is_the_same(tokens: TokenSet) -> None:
    assert TokenSet.from_dict(tokens.to_dict()) == tokens
    assert set(tokens.to_dict()) == {each.name for each in fields(TokenSet)}


def test_members_and_sources_of_other_versions_do_no_harm() -> None:
    stored = login().to_dict() | {"later": {"x": 1}, "source": "telepathy"}
    assert TokenSet.from_dict(stored) == replace(login(), source="file")


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"access_token": None}, "access_token"),
        ({"access_token": ""}, "access_token"),
        ({"access_token": 1}, "access_token"),
        ({"refresh_token": ["x"]}, "refresh_token"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"expires_at": True}, "expires_at"),
        ({"issuer": None, "borrowed": "no"}, "borrowed, issuer"),
    ],
)
def test_odd_members_are_named_and_not_shown(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: missing or of the wrong type$") as caught:
        TokenSet.from_dict(login().to_dict() | changes)
    assert_unseen(everything_of(caught.value), [*secrets_of(login()), CANARY])


def test_its_repr_shows_no_token_and_no_address() -> None:
    assert_unseen(repr(login()) + str(login()), [*secrets_of(login()), CANARY])


def test_an_end_that_is_not_known_is_never_near() -> None:
    assert not TokenSet(access_token="x").expires_within(1e9, now=NOW)
    assert login(lifetime=30).expires_within(30, now=NOW)
    assert not login(lifetime=31).expires_within(30, now=NOW)
