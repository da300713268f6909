"""Logins in environment variables."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from codex_client.auth.environment_store import EnvironmentTokenStore
from tests.support.logins import CANARY, login, secrets_of
from tests.support.secrecy import assert_unseen

ONE, TWO = login("one"), login("two")


def variables(tokens_of: dict[str, str]) -> dict[str, str]:
    return {f"CODEX_{name}": value for name, value in tokens_of.items()}


async def test_one_login_without_a_number() -> None:
    environ = variables(
        {
            "ACCESS_TOKEN": f" {ONE.access_token}\n",
            "REFRESH_TOKEN": ONE.refresh_token or "",
            "ID_TOKEN": ONE.id_token or "",
            "ACCOUNT_ID": "acct-given",
        }
    )
    (tokens,) = (await EnvironmentTokenStore(environ).load()).values()
    expected = replace(ONE, issuer="https://auth.openai.com", source="environment", refreshed_at=None)
    assert tokens == expected


async def test_the_account_id_counts_where_no_claim_tells_it() -> None:
    environ = {"CODEX_ACCESS_TOKEN": "opaque", "CODEX_ACCOUNT_ID": "acct-x"}
    (tokens,) = (await EnvironmentTokenStore(environ).load()).values()
    assert (tokens.access_token, tokens.account_id) == ("opaque", "acct-x")


async def test_numbered_logins_come_in_the_order_of_their_numbers() -> None:
    names = {"": "zero", "10_": "ten", "2_": "two", "1_": "one"}
    environ = variables({f"{number}ACCESS_TOKEN": login(name).access_token for number, name in names.items()})
    loaded = await EnvironmentTokenStore(environ).load()
    assert [each.subject for each in loaded.values()] == ["user-zero", "user-one", "user-two", "user-ten"]


async def test_the_same_login_twice_is_one_the_first() -> None:
    newer = login("one", lifetime=7200).access_token
    environ = variables({"1_ACCESS_TOKEN": ONE.access_token, "2_ACCESS_TOKEN": newer})
    (tokens,) = (await EnvironmentTokenStore(environ).load()).values()
    assert tokens.access_token == ONE.access_token


@pytest.mark.parametrize(
    "environ", [{}, {"CODEX_ACCESS_TOKEN": " "}, {"CODEX_ACCOUNT_ID": "x"}, {"XCODEX_ACCESS_TOKEN": "x"}]
)
async def test_where_there_is_no_token_there_is_no_login(environ: dict[str, str]) -> None:
    assert await EnvironmentTokenStore(environ).load() == {}


async def test_a_refresh_token_alone_is_left_out_and_told_unseen(caplog: pytest.LogCaptureFixture) -> None:
    store = EnvironmentTokenStore({"CODEX_3_REFRESH_TOKEN": CANARY, "CODEX_4_ACCESS_TOKEN": ONE.access_token})
    assert [each.access_token for each in (await store.load()).values()] == [ONE.access_token]
    assert "CODEX_3_REFRESH_TOKEN is set without CODEX_3_ACCESS_TOKEN" in caplog.text
    assert_unseen(caplog.text, [CANARY])


async def test_what_is_rotated_stays_in_memory_and_a_warning_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"CODEX_ACCESS_TOKEN": ONE.access_token}
    store = EnvironmentTokenStore(environ)
    await store.save(login(lifetime=7200))
    await store.save(TWO)
    assert {login().key, TWO.key} <= set(await store.load())
    assert environ == {"CODEX_ACCESS_TOKEN": ONE.access_token}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "cannot be written back" in caplog.text
    assert_unseen(caplog.text, [*secrets_of(ONE), *secrets_of(TWO), CANARY])


async def test_saving_what_is_there_already_is_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    store = EnvironmentTokenStore({"CODEX_ACCESS_TOKEN": ONE.access_token})
    (tokens,) = (await store.load()).values()
    await store.save(tokens)
    assert not caplog.records
    await store.save(replace(tokens, access_token="newer"))
    assert len(caplog.records) == 1
