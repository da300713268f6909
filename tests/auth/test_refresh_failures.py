"""What a refresh that fails means: kept for later, over for good, or unsaved."""

from __future__ import annotations

import logging
from dataclasses import replace

import anyio
import pytest

from codex_client.auth.refresh import RefreshingAuth
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.errors import LoginRequiredError, TokenRefreshError, TokenStoreError
from codex_client.testing.scripts import Reply
from tests.support.logged_in import FailingStore, LoggedIn, logged_in
from tests.support.secrecy import assert_unseen, everything_of

TOKEN = "/oauth/token"
TRANSIENT = {
    "500": Reply.error(500, "x"),
    "503": Reply.error(503, "x"),
    "429": Reply.error(429, "x"),
    "F8c HTML 403": Reply(status=403, body=b"<html>Just a moment...</html>", headers={"content-type": "text/html"}),
    "F8c country": Reply.error(403, "x", code="unsupported_country_region_territory"),
    "no JSON": Reply(status=500, body=b"oops"),
}
PERMANENT = [
    (401, "refresh_token_expired"),
    (401, "refresh_token_reused"),
    (401, "refresh_token_invalidated"),
    (401, None),
    (400, "invalid_grant"),
    (401, "app_session_terminated"),
    (403, "account_deactivated"),
]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("reply", TRANSIENT.values(), ids=TRANSIENT)
async def test_a_transient_failure_is_tried_three_times_and_the_login_is_kept(reply: Reply) -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.fail(TOKEN, reply, times=3)
        with pytest.raises(TokenRefreshError) as caught:
            await here.token()
        assert (caught.value.permanent, caught.value.retryable, here.server.refreshes) == (False, True, 3)
        assert [each for each in here.clock.sleeps if each >= 1] == [1.0, 2.0]
        assert await here.stored() == here.first
        assert await here.token() != here.first.access_token
        here.server.assert_complete()


async def test_a_try_that_works_ends_the_tries() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.fail(TOKEN, TRANSIENT["503"], times=2)
        assert await here.token() == (await here.stored()).access_token
        assert here.server.refreshes == 3


@pytest.mark.parametrize(
    "asked, waited",
    [("7", 7.0), ("3600", 60.0), ("0", 0.0), ("Tue, 14 Nov 2023 22:13:45 GMT", 25.0)],
    ids=["seconds", "capped", "none", "date"],
)
async def test_the_issuers_wish_to_wait_is_honoured_up_to_a_minute(asked: str, waited: float) -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.fail(TOKEN, replace(TRANSIENT["429"], headers={"retry-after": asked}))
        await here.token()
        assert (here.clock.sleeps, here.server.refreshes) == ([waited], 2)


async def test_F8b_after_a_lost_answer_the_token_is_not_sent_again_at_once() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.disturb(TOKEN)
        with pytest.raises(TokenRefreshError) as caught:
            await here.token()
        assert (caught.value.answer_lost, caught.value.permanent, here.server.refreshes) == (True, False, 1)
        with pytest.raises(LoginRequiredError, match="used already"):
            await here.token()
        assert here.server.refreshes == 2


@pytest.mark.parametrize("status, code", PERMANENT)
async def test_a_permanent_failure_asks_for_a_login_and_is_not_tried_again(status: int, code: str | None) -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.fail(TOKEN, Reply.error(status, "x", code=code))
        for _ in range(3):
            with pytest.raises(LoginRequiredError, match=f"^account {here.first.key} needs a new login: ") as caught:
                await here.token()
            cause = caught.value.__cause__
            assert isinstance(cause, TokenRefreshError)
            assert (cause.permanent, cause.status) == (True, status)
            assert not caught.value.retryable
        assert here.server.refreshes == 1
        assert await here.stored() == here.first


async def test_a_new_login_in_the_store_ends_a_permanent_failure() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.revoke_family(here.first)
        with pytest.raises(LoginRequiredError):
            await here.token()
        again = here.server.issue(here.server.accounts[0])
        assert again.key == here.first.key
        await here.store.save(again)
        assert await here.token() == again.access_token
        assert here.server.refreshes == 1


async def test_fifty_tasks_share_one_failure_and_each_has_an_error_of_its_own() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.fail(TOKEN, TRANSIENT["503"], times=3)
        errors: list[TokenRefreshError] = []

        async def fail() -> None:
            with pytest.raises(TokenRefreshError) as caught:
                await here.token()
            errors.append(caught.value)

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(fail)
        assert here.server.refreshes == 3
        assert len({id(error) for error in errors}) == 50
        assert {(str(error), error.status) for error in errors} == {(str(errors[0]), 503)}


async def test_fifty_tasks_share_one_permanent_failure_with_its_cause() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.revoke_family(here.first)
        causes: list[object] = []

        async def fail() -> None:
            with pytest.raises(LoginRequiredError) as caught:
                await here.token()
            causes.append(type(caught.value.__cause__))

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(fail)
        assert (here.server.refreshes, set(causes)) == (1, {TokenRefreshError})


@pytest.mark.parametrize("left", [200, 20])
@pytest.mark.parametrize("reply", [TRANSIENT["503"], Reply.error(401, "x", code="refresh_token_expired")])
async def test_R6_while_the_old_token_lives_a_failure_stops_nobody(
    left: float, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    async with logged_in(lifetime=left) as here:
        here.server.fail(TOKEN, reply, times=3)
        assert await here.token() == here.first.access_token
        assert len(warnings(caplog)) == 1
        assert "goes on with its old token" in warnings(caplog)[0]


async def test_R6_a_token_that_is_over_is_not_used() -> None:
    async with logged_in(lifetime=20) as here:
        here.server.fail(TOKEN, TRANSIENT["503"], times=6)
        assert await here.token() == here.first.access_token
        here.clock.advance(20)
        with pytest.raises(TokenRefreshError):
            await here.token()


async def test_a_refused_token_is_not_given_again_though_the_refresh_failed() -> None:
    async with logged_in() as here:
        here.server.fail(TOKEN, TRANSIENT["503"], times=3)
        await here.refuse(await here.token())
        with pytest.raises(TokenRefreshError):
            await here.token(forced=True)
        assert await here.token(forced=True) != here.first.access_token


async def test_an_early_failure_is_followed_by_a_pause() -> None:
    async with logged_in(lifetime=250) as here:
        here.server.fail(TOKEN, TRANSIENT["503"])
        for _ in range(5):
            assert await here.token() == here.first.access_token
        assert here.server.refreshes == 1
        here.clock.advance(30)
        assert await here.token() != here.first.access_token


async def test_a_faster_program_without_our_lock_is_noticed_after_the_failure() -> None:
    class Raced(FailingStore):
        faster: TokenSet | None = None

        async def load(self) -> dict[str, TokenSet]:
            found = dict(await super().load())
            if self.faster is not None and here.server.refreshes:
                found[self.faster.key] = self.faster
            return found

    store = Raced()
    async with logged_in(lifetime=-1, store=store) as here:
        store.faster = here.server.issue(here.server.accounts[0])
        here.server.revoke_family(here.first)
        assert await here.token() == store.faster.access_token
        assert here.server.refreshes == 1


async def test_new_tokens_that_cannot_be_saved_are_told_once_and_used(caplog: pytest.LogCaptureFixture) -> None:
    async with logged_in(lifetime=-1) as here:
        here.store.failures = 3
        with pytest.raises(TokenStoreError, match="the disk is full"):
            await here.token()
        first = await here.token()
        assert first != here.first.access_token
        assert await here.stored() == here.first
        assert len(warnings(caplog)) == 1
        assert "still in memory only: the disk is full" in warnings(caplog)[0]
        saves = here.store.saves
        assert await here.token() == first
        assert here.store.saves == saves, "saving is not tried with every lease"
        here.clock.advance(30)
        assert await here.token() == first
        here.clock.advance(30)
        assert await here.token() == first
        assert (await here.stored()).access_token == first
        assert here.server.refreshes == 1


async def test_an_early_refresh_that_cannot_be_saved_is_loud_too() -> None:
    async with logged_in(lifetime=200) as here:
        here.store.failures = 1
        with pytest.raises(TokenStoreError, match="the disk is full"):
            await here.token()
        assert await here.token() == (await here.stored()).access_token != here.first.access_token


async def test_tasks_that_waited_for_a_refresh_that_could_not_be_saved_get_its_token() -> None:
    async with logged_in(lifetime=-1) as here:
        here.store.failures = 1
        outcomes: list[str] = []

        async def lease() -> None:
            try:
                outcomes.append(await here.token())
            except TokenStoreError:
                outcomes.append("unsaved")

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(lease)
        assert outcomes.count("unsaved") == 1
        assert len(set(outcomes)) == 2
        assert here.server.refreshes == 1


async def test_what_could_not_be_saved_is_what_is_refreshed_next() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.access_lifetime = 400.0
        here.store.failures = 2
        with pytest.raises(TokenStoreError):
            await here.token()
        here.clock.advance(500)
        here.store.failures = 1
        assert await here.token()
        assert here.server.problems == [], "the used-up token of the store was not sent again"
        assert here.server.refreshes == 2
        assert (await here.stored()).access_token == await here.token()


async def test_tokens_that_are_in_memory_only_are_renewed_though_the_store_still_takes_nothing() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.access_lifetime = 400.0
        here.store.failures = 1
        with pytest.raises(TokenStoreError):
            await here.token()
        here.store.full = True
        here.clock.advance(500)
        with pytest.raises(TokenStoreError, match="the disk is full"):
            await here.token()
        newest = await here.token()
        here.store.full = False
        here.clock.advance(60)
        assert await here.token() == newest == (await here.stored()).access_token
        assert (here.server.refreshes, here.server.problems) == (2, [])


async def test_what_could_not_be_saved_does_not_replace_a_login_made_since() -> None:
    async with logged_in(lifetime=-1) as here:
        here.store.failures = 1
        with pytest.raises(TokenStoreError):
            await here.token()
        again = here.server.issue(here.server.accounts[0])
        await here.store.save(again)
        assert await here.token() == again.access_token
        assert await here.stored() == again


async def test_a_store_that_fails_in_its_own_way_loses_no_token() -> None:
    class OddStore(MemoryTokenStore):
        broken = False

        async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
            if self.broken and (await self.load())[tokens.key] != tokens:
                raise ConnectionError("canary " + tokens.access_token)
            await super().save(tokens, key=key)

    store = OddStore()
    async with logged_in(lifetime=-1, store=store) as here:
        store.broken = True
        with pytest.raises(
            TokenStoreError, match=r"could not be saved and are in memory .*\(ConnectionError\)$"
        ) as caught:
            await here.token()
        assert_unseen(everything_of(caught.value), here.server.secrets)
        store.broken = False
        assert await here.token() == (await here.stored()).access_token
        assert here.server.refreshes == 1


async def test_a_store_that_cannot_be_read_does_not_stop_a_living_token(caplog: pytest.LogCaptureFixture) -> None:
    class Unreadable(FailingStore):
        broken = False

        async def load(self) -> dict[str, TokenSet]:
            if self.broken:
                raise TokenStoreError("the file is broken; restore it")
            return dict(await super().load())

    store = Unreadable()
    async with logged_in(lifetime=400, store=store) as here:
        await here.token()
        store.broken = True
        here.clock.advance(200)
        assert await here.token() == here.first.access_token
        assert "the file is broken" in caplog.text
        here.clock.advance(300)
        with pytest.raises(TokenStoreError):
            await here.token()
        assert here.server.refreshes == 0


async def failing(here: LoggedIn, reply: Reply) -> BaseException:
    here.server.fail(TOKEN, reply, times=3)
    async with RefreshingAuth(here.store, clock=here.clock) as auth:
        with pytest.raises((LoginRequiredError, TokenRefreshError)) as caught:
            await auth.lease(conversation_id=None, forced_refresh=False)
    return caught.value


@pytest.mark.parametrize("code", ["refresh_token_reused", "server_error"])
async def test_no_error_log_or_repr_shows_a_secret_not_even_one_that_the_issuer_echoes(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with logged_in(lifetime=-1) as here:
        status = 401 if code.startswith("refresh") else 500
        echo = f"refresh_token {here.first.refresh_token} of {here.first.email} is not good"
        with caplog.at_level(logging.DEBUG):
            error = await failing(here, Reply.error(status, echo, code=code))
        seen = "\n".join([everything_of(error), caplog.text, repr(here.auth), repr(here.store)])
        assert_unseen(seen, here.server.secrets)
        assert here.first.key in seen or code == "server_error"


@pytest.mark.parametrize("left, goes_on", [(200, True), (20, True), (-1, False)])
async def test_a_store_that_takes_nothing_costs_no_refresh_token(
    left: float, goes_on: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with logged_in(lifetime=left) as here:
        here.store.full = True
        for _ in range(2):
            if goes_on:
                assert await here.token() == here.first.access_token
            else:
                with pytest.raises(TokenStoreError, match="the disk is full"):
                    await here.token()
        assert here.server.refreshes == 0
        assert ("goes on with its old token" in caplog.text) == goes_on
        here.store.full = False
        here.clock.advance(30)
        assert await here.token() == (await here.stored()).access_token != here.first.access_token
        assert (here.server.refreshes, here.server.problems) == (1, [])


async def test_a_store_that_takes_nothing_in_its_own_way_shows_no_token() -> None:
    class OddStore(MemoryTokenStore):
        is_broken = False

        async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
            if self.is_broken:
                raise ConnectionError("canary " + tokens.access_token)
            await super().save(tokens, key=key)

    store = OddStore()
    async with logged_in(lifetime=-1, store=store) as here:
        store.is_broken = True
        told = rf"^the tokens of account {here.first.key} cannot be saved, so none were asked for \(ConnectionError\)$"
        with pytest.raises(TokenStoreError, match=told) as caught:
            await here.token()
        assert_unseen(everything_of(caught.value), here.server.secrets)
        assert here.server.refreshes == 0


@pytest.mark.parametrize(
    "reply", [TRANSIENT["503"], replace(TRANSIENT["429"], headers={"retry-after": "60"})], ids=["503", "429"]
)
async def test_no_turn_waits_for_an_issuer_while_its_token_is_good(reply: Reply) -> None:
    async with logged_in(lifetime=240) as here:
        here.server.fail(TOKEN, reply, times=3)
        assert await here.token() == here.first.access_token
        assert (here.clock.sleeps, here.server.refreshes) == ([], 1)


@pytest.mark.parametrize("asked, waited, refreshes", [("7", [7.0, 7.0], 3), ("12", [12.0], 2), ("60", [], 1)])
async def test_near_its_end_a_turn_waits_no_longer_than_the_token_lasts(
    asked: str, waited: list[float], refreshes: int
) -> None:
    async with logged_in(lifetime=20) as here:
        here.server.fail(TOKEN, replace(TRANSIENT["429"], headers={"retry-after": asked}), times=3)
        for _ in range(3):
            assert await here.token() == here.first.access_token
        assert (here.clock.sleeps, here.server.refreshes) == (waited, refreshes)
