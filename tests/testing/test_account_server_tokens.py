"""The account server's books of tokens: rotation, reuse, expiry, revocation, lost answers, a clock that is ahead."""

from __future__ import annotations

import anyio
import httpx
import pytest

from codex_client.auth.tokens import TokenSet
from codex_client.testing import Close, Hold, ManualClock, Reply, Stall
from codex_client.testing.refusals import AccountRefusal, blocked_page
from tests.support.account_http import Caller, calling, claims_of, code_of


def after_refresh(caller: Caller, tokens: TokenSet, answer: httpx.Response) -> TokenSet:
    assert answer.status_code == 200
    granted = answer.json()
    now = caller.server.now()
    return tokens.refreshed(
        access_token=granted["access_token"],
        refresh_token=granted["refresh_token"],
        id_token=granted["id_token"],
        now=now,
    )


async def test_each_refresh_gives_the_token_of_the_next() -> None:
    clock = ManualClock()
    async with calling(clock) as caller:
        account = caller.server.add_account()
        first = tokens = caller.server.issue(account, lifetime=60)
        seen = {tokens.refresh_token}
        for _ in range(3):
            clock.advance(60)
            tokens = after_refresh(caller, tokens, await caller.refresh(tokens.refresh_token))
            assert tokens.refresh_token not in seen
            seen.add(tokens.refresh_token)
        assert tokens.key == first.key
        assert tokens.expires_at == clock.time() + 3600
        assert (await caller.usage(tokens)).status_code == 200
    assert caller.server.refreshes == 3
    caller.server.assert_complete()


async def test_a_refresh_may_be_a_form() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        form = {
            "grant_type": "refresh_token",
            "client_id": caller.server.issuer.client_id,
            "refresh_token": tokens.refresh_token,
        }
        assert (await caller.http.post("/oauth/token", data=form)).status_code == 200
    assert caller.server.refreshes == 1


async def test_a_refresh_tells_what_has_changed_at_the_account() -> None:
    async with calling() as caller:
        account = caller.server.add_account(plan_type="plus")
        tokens = caller.server.issue(account)
        account.plan_type = "pro"
        fresh = after_refresh(caller, tokens, await caller.refresh(tokens.refresh_token))
    assert (tokens.plan_type, fresh.plan_type) == ("plus", "pro")


async def test_a_refresh_token_used_twice_kills_its_family() -> None:
    async with calling() as caller:
        account = caller.server.add_account()
        tokens, other = caller.server.issue(account), caller.server.issue(account)
        fresh = after_refresh(caller, tokens, await caller.refresh(tokens.refresh_token))
        assert code_of(await caller.refresh(tokens.refresh_token)) == (401, "refresh_token_reused")
        for dead in (tokens, fresh):
            assert code_of(await caller.refresh(dead.refresh_token)) == (401, "refresh_token_invalidated")
        # What was issued before lasts as long as it says, and another login is another family.
        assert (await caller.usage(fresh)).status_code == 200
        assert (await caller.refresh(other.refresh_token)).status_code == 200
    assert caller.server.problems == ["a refresh token was used a second time"]
    with pytest.raises(AssertionError, match="a second time"):
        caller.server.assert_complete()


async def test_a_revoked_family_is_refused_everywhere() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        caller.server.revoke_family(tokens)
        assert code_of(await caller.refresh(tokens.refresh_token)) == (401, "refresh_token_invalidated")
        assert code_of(await caller.usage(tokens)) == (401, "token_revoked")
        assert code_of(await caller.turn(tokens)) == (401, "token_revoked")


async def test_an_expired_family_keeps_its_access_token() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        caller.server.expire_family(tokens)
        assert code_of(await caller.refresh(tokens.refresh_token)) == (401, "refresh_token_expired")
        assert (await caller.usage(tokens)).status_code == 200


async def test_a_program_may_revoke_its_login() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        asked = {
            "token": tokens.refresh_token,
            "token_type_hint": "refresh_token",
            "client_id": caller.server.issuer.client_id,
        }
        assert (await caller.http.post("/oauth/revoke", json=asked)).status_code == 200
        assert (await caller.http.post("/oauth/revoke", json={**asked, "token": "rt_unknown"})).status_code == 200
        assert (await caller.http.post("/oauth/revoke", json={**asked, "token": ""})).status_code == 400
        assert (await caller.http.post("/oauth/revoke", json={**asked, "client_id": "x"})).status_code == 401
        assert code_of(await caller.refresh(tokens.refresh_token)) == (401, "refresh_token_invalidated")
        assert code_of(await caller.usage(tokens)) == (401, "token_revoked")


async def test_a_token_that_was_not_issued_here_is_no_grant() -> None:
    async with calling() as caller:
        caller.server.add_account()
        assert code_of(await caller.refresh("rt_unknown")) == (400, "invalid_grant")
        assert code_of(await caller.refresh(None)) == (400, "invalid_grant")
        with pytest.raises(KeyError):
            caller.server.revoke_family(TokenSet(access_token="unknown"))


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
async def test_a_body_that_asks_for_nothing_is_refused(content: str) -> None:
    async with calling() as caller:
        answer = await caller.http.post("/oauth/token", content=content, headers={"content-type": "application/json"})
    assert code_of(answer) == (400, "unsupported_grant_type")
    assert caller.server.refreshes == 0


async def test_a_refresh_under_another_client_id_is_a_problem_and_uses_nothing_up() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        answer = await caller.refresh(tokens.refresh_token, client_id="app_other")
        assert code_of(answer) == (401, "invalid_client")
        assert (await caller.refresh(tokens.refresh_token)).status_code == 200
    assert caller.server.problems[0].startswith("client id 'app_other' in place of 'app_")


@pytest.mark.parametrize("refusal", ["account_deactivated", "app_session_terminated"])
async def test_an_account_that_is_gone_is_refused_by_the_issuer_too(refusal: AccountRefusal) -> None:
    async with calling() as caller:
        account = caller.server.add_account()
        tokens = caller.server.issue(account)
        account.refusal = refusal
        assert code_of(await caller.refresh(tokens.refresh_token)) == (401, refusal)
        assert code_of(await caller.usage(tokens)) == (401, refusal)


async def test_an_access_token_is_good_until_its_second_and_no_longer() -> None:
    clock = ManualClock()
    async with calling(clock) as caller:
        tokens = caller.server.issue(caller.server.add_account(), lifetime=100)
        clock.advance(99.5)
        assert (await caller.usage(tokens)).status_code == 200
        clock.advance(0.5)
        assert code_of(await caller.usage(tokens)) == (401, "token_expired")
        assert code_of(await caller.turn(tokens)) == (401, "token_expired")


async def test_a_clock_that_is_ahead_writes_its_own_times_and_ends_tokens_early() -> None:
    clock = ManualClock(start=1_800_000_000.0)
    async with calling(clock) as caller:
        caller.server.skew = 600.0
        tokens = caller.server.issue(caller.server.add_account(), lifetime=1000)
        assert claims_of(tokens.access_token)["exp"] == 1_800_001_600
        assert claims_of(tokens.access_token)["iat"] == 1_800_000_600
        clock.advance(999)
        assert (await caller.usage(tokens)).status_code == 200
        clock.advance(1)
        assert not tokens.expires_within(0, now=clock.time())
        assert code_of(await caller.usage(tokens)) == (401, "token_expired")


async def test_a_failed_refresh_has_used_nothing_up() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        caller.server.fail("/oauth/token", 503, times=2)
        caller.server.fail("POST /oauth/token", blocked_page())
        answers = [await caller.refresh(tokens.refresh_token) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [403, 503, 503, 200]
    assert "cf-ray" in answers[0].headers
    assert answers[0].headers["content-type"].startswith("text/html")
    assert caller.server.refreshes == 4
    caller.server.assert_complete()


async def test_a_lost_answer_has_used_the_token_up() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        caller.server.disturb("/oauth/token")
        with pytest.raises(httpx.ReadError):
            await caller.refresh(tokens.refresh_token)
        assert code_of(await caller.refresh(tokens.refresh_token)) == (401, "refresh_token_reused")
    assert caller.server.refreshes == 2


async def test_an_answer_can_be_cut_in_its_body() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        caller.server.disturb("/oauth/token", Close(), at=20)
        with pytest.raises(httpx.RemoteProtocolError):
            await caller.refresh(tokens.refresh_token)


async def test_an_answer_can_be_held_until_it_is_let_go() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        caller.server.disturb("/oauth/token", Hold())
        statuses: list[int] = []

        async def refresh() -> None:
            statuses.append((await caller.refresh(tokens.refresh_token)).status_code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refresh)
            await caller.server.at_rest()
            assert statuses == []
            caller.server.release()
    assert statuses == [200]


async def test_a_stalled_request_is_counted_and_does_nothing() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        caller.server.fail("/oauth/token", Reply(before_head=[Stall()]))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(caller.refresh, tokens.refresh_token)
            await caller.server.at_rest()
            tasks.cancel_scope.cancel()
        assert (await caller.refresh(tokens.refresh_token)).status_code == 200
    assert caller.server.refreshes == 2


async def test_faults_that_did_not_happen_are_missed() -> None:
    async with calling() as caller:
        caller.server.fail("/oauth/token", 500, times=2)
        caller.server.disturb("/responses")
    with pytest.raises(AssertionError, match="3 faults did not happen"):
        caller.server.assert_complete()
    with pytest.raises(ValueError, match="times is 0"):
        caller.server.fail("/oauth/token", 500, times=0)


async def test_a_path_that_is_not_there_is_a_problem() -> None:
    async with calling() as caller:
        assert (await caller.http.get("/oauth/token")).status_code == 404
    assert caller.server.problems == ["GET /oauth/token, which is not there"]
