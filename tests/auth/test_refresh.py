"""When a login is renewed, by whom, and what the others do meanwhile."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from codex_client.api import AttemptOutcome, AuthProvider, Lease
from codex_client.auth.codex_store import CodexTokenStore
from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.importing import import_from_codex
from codex_client.auth.oauth import OAuthClient, RefreshReason
from codex_client.auth.refresh import RefreshingAuth
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.errors import LoginRequiredError
from codex_client.testing import ManualClock
from codex_client.testing.account_server import AccountServer
from codex_client.testing.requests import RecordedRequest
from codex_client.testing.scripts import Hold, Reply
from tests.support.logged_in import LoggedIn, logged_in, token_of
from tests.support.logins import login

SERVER_ERROR = Reply.error(503, "try later")


def reasons(server: AccountServer) -> list[str]:
    return [reason_of(request) for request in server.requests]


def reason_of(request: RecordedRequest) -> str:
    return request.json()["refresh_reason"]


async def tokens_at_once(here: LoggedIn, count: int, *, forced: bool = False) -> list[str]:
    found: list[str] = []

    async def lease() -> None:
        found.append(await here.token(forced=forced))

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(lease)
    return found


async def test_a_lease_carries_the_token_the_workspace_and_the_key() -> None:
    async with logged_in() as here:
        lease = await here.auth.lease(conversation_id="c", forced_refresh=False)
        assert dict(lease.headers) == {
            "authorization": f"Bearer {here.first.access_token}",
            "chatgpt-account-id": "acct-1",
        }
        assert lease.account == here.first.key
        assert here.server.refreshes == 0
        provider: AuthProvider = here.auth
        assert provider.can_refresh


async def test_a_token_without_a_workspace_is_lent_alone() -> None:
    async with RefreshingAuth(MemoryTokenStore([TokenSet(access_token="opaque")]), clock=ManualClock()) as auth:
        lease = await auth.lease(conversation_id=None, forced_refresh=False)
    assert dict(lease.headers) == {"authorization": "Bearer opaque"}


@pytest.mark.parametrize("left, refreshes", [(301, 0), (299, 1), (29, 1), (-5, 1)])
async def test_a_token_is_renewed_from_five_minutes_before_its_end(left: float, refreshes: int) -> None:
    async with logged_in(lifetime=left) as here:
        token = await here.token()
        assert here.server.refreshes == refreshes
        assert (token == here.first.access_token) == (refreshes == 0)
        assert (await here.stored()).access_token == token
        assert reasons(here.server) == ["proactive_expiry"] * refreshes
        assert (await here.auth.tokens()).access_token == token


async def test_the_thresholds_are_settings() -> None:
    async with (
        logged_in(lifetime=500) as here,
        RefreshingAuth(here.store, early=600, latest=550, clock=here.clock) as auth,
    ):
        assert (await auth.tokens()).access_token != here.first.access_token


@pytest.mark.parametrize("days, reason", [(7, []), (9, ["scheduled"])])
async def test_a_token_that_does_not_tell_its_end_is_renewed_after_eight_days(days: int, reason: list[str]) -> None:
    async with logged_in(expires_at=None) as here:
        here.clock.advance(days * 86400.0)
        await here.token()
        assert reasons(here.server) == reason


async def test_a_token_with_an_end_is_not_renewed_by_its_age() -> None:
    async with logged_in(lifetime=30 * 86400.0) as here:
        here.clock.advance(20 * 86400.0)
        await here.token()
        assert here.server.refreshes == 0


async def test_early_one_task_renews_and_the_others_go_on_with_the_old_token() -> None:
    async with logged_in(lifetime=200) as here:
        here.server.disturb("/oauth/token", Hold())
        renewed: list[str] = []

        async def renew() -> None:
            renewed.append(await here.token())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(renew)
            await here.server.received(1)
            assert await tokens_at_once(here, 20) == [here.first.access_token] * 20
            here.server.release()
        assert here.server.refreshes == 1
        assert renewed == [(await here.stored()).access_token] != [here.first.access_token]


@pytest.mark.parametrize("lifetime", [20, -100])
async def test_at_the_end_everybody_waits_for_one_refresh(lifetime: float) -> None:
    async with logged_in(lifetime=lifetime) as here:
        tokens = await tokens_at_once(here, 50)
        assert (here.server.refreshes, here.store.loads) == (1, 2), "the first, and one under the lock"
        assert set(tokens) == {(await here.stored()).access_token}
        assert here.first.access_token not in tokens


async def test_fifty_turns_refused_at_once_make_one_refresh() -> None:
    async with logged_in() as here:
        for _ in range(50):
            await here.refuse(await here.token())
        tokens = await tokens_at_once(here, 50, forced=True)
        assert reasons(here.server) == ["unauthorized_recovery"]
        assert set(tokens) == {(await here.stored()).access_token}
        assert here.first.access_token not in tokens


async def test_a_turn_that_was_refused_late_gets_the_new_token_without_a_call() -> None:
    async with logged_in() as here:
        old = await here.token()
        await here.refuse(old)
        new = await here.token(forced=True)
        await here.refuse(old)
        assert await here.token(forced=True) == new != old
        assert here.server.refreshes == 1


async def test_each_refused_token_is_worth_one_refresh_and_no_more() -> None:
    async with logged_in() as here:
        for count in range(1, 4):
            await here.refuse(await here.token())
            await here.token(forced=True)
            await here.token()
            assert here.server.refreshes == count


async def test_a_refused_token_that_comes_back_in_the_store_is_not_taken() -> None:
    async with logged_in() as here:
        refused = await here.token()
        await here.refuse(refused)
        second = await here.token(forced=True)
        await here.store.save(replace(await here.stored(), access_token=refused))
        await here.refuse(second)
        assert await here.token(forced=True) not in (refused, second)
        assert here.server.refreshes == 2


async def test_only_a_401_is_a_refusal_of_the_token() -> None:
    async with logged_in() as here:
        lease = await here.auth.lease(conversation_id=None, forced_refresh=False)
        for outcome in (AttemptOutcome(status=200), AttemptOutcome(status=403), AttemptOutcome()):
            assert await here.auth.report(lease, outcome) is None
        await here.auth.report(Lease(), AttemptOutcome(status=401))
        assert await here.token(forced=True) == here.first.access_token
        assert here.server.refreshes == 0


async def test_a_refresh_that_is_asked_for_is_made_once_for_all_who_ask() -> None:
    async with logged_in() as here:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(here.auth.refresh)
        assert reasons(here.server) == ["forced"]
        assert (await here.auth.refresh()) == await here.stored()
        assert here.server.refreshes == 2


async def test_what_the_store_has_newer_is_taken_without_a_call() -> None:
    async with logged_in(lifetime=200) as here:
        await here.auth.lease(conversation_id=None, forced_refresh=False)
        other = RefreshingAuth(here.store, clock=here.clock)
        await here.refuse(await here.token())
        newer = await other.refresh()
        await other.aclose()
        refreshes = here.server.refreshes
        assert await here.token(forced=True) == newer.access_token
        assert here.server.refreshes == refreshes
        assert await here.token() == newer.access_token


async def test_what_the_store_has_newer_and_over_is_what_is_refreshed() -> None:
    async with logged_in(lifetime=400) as here:
        first = await here.token()
        here.server.access_lifetime = 350.0
        async with RefreshingAuth(here.store, clock=here.clock) as other:
            await other.refresh()
        here.server.access_lifetime = 3600.0
        here.clock.advance(500)
        assert await here.token() not in (first, here.first.access_token)
        assert here.server.refreshes == 2
        assert here.server.problems == []


async def test_a_slow_first_load_does_not_bring_back_what_has_been_renewed_meanwhile() -> None:
    class SlowStore(MemoryTokenStore):
        async def load(self) -> Mapping[str, TokenSet]:
            found = await super().load()
            delays.append(len(delays))
            if len(delays) == 1:
                await slow.wait()
            return found

    delays, slow = list[int](), anyio.Event()
    async with logged_in(lifetime=-1, store=SlowStore()) as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.token)
            await anyio.wait_all_tasks_blocked()
            await here.token()
            slow.set()
        assert (here.server.refreshes, len(delays)) == (1, 3), "two first loads, and one under the lock"
        assert await here.token() == (await here.stored()).access_token


async def test_a_key_chooses_among_several_logins() -> None:
    async with logged_in() as here:
        second = here.server.issue(here.server.add_account("acct-2"))
        await here.store.save(second)
        async with RefreshingAuth(here.store, second.key, clock=here.clock) as auth:
            lease = await auth.lease(conversation_id=None, forced_refresh=False)
            assert (token_of(lease), lease.account) == (second.access_token, second.key)
        async with RefreshingAuth(here.store, clock=here.clock) as auth:
            with pytest.raises(LoginRequiredError, match=f"several logins .*{second.key}"):
                await auth.tokens()


@pytest.mark.parametrize("key, told", [(None, "the store has no login "), ("k", "the store has no login k ")])
async def test_a_store_without_the_login_asks_for_one(key: str | None, told: str) -> None:
    async with RefreshingAuth(MemoryTokenStore(), key, clock=ManualClock()) as auth:
        with pytest.raises(LoginRequiredError, match=told + r"\(it has: none\); log in"):
            await auth.lease(conversation_id=None, forced_refresh=False)


async def test_after_a_logout_elsewhere_the_token_is_used_up_and_then_a_login_asked_for() -> None:
    async with logged_in(lifetime=200) as here:
        assert (await here.auth.tokens()).access_token != here.first.access_token
        await here.store.delete(here.first.key)
        here.clock.advance(3400)
        assert await here.token()
        here.clock.advance(300)
        with pytest.raises(LoginRequiredError, match=r"the store has no login .* any more; log in again"):
            await here.token()
        assert here.server.refreshes == 1


async def test_a_given_client_is_used_and_stays_open() -> None:
    async with logged_in(lifetime=-1) as here:
        async with OAuthClient(here.server.issuer, clock=here.clock) as oauth:
            for _ in range(2):
                async with RefreshingAuth(here.store, oauth=oauth, clock=here.clock) as auth:
                    await auth.refresh()
        assert here.server.refreshes == 2


async def test_the_lifetimes_of_the_issuer_may_be_shorter_than_the_thresholds() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.access_lifetime = 100.0
        for _ in range(5):
            await here.token()
        assert here.server.refreshes == 1
        here.clock.advance(60)
        await here.token()
        assert here.server.refreshes == 2


async def test_a_clock_that_is_ahead_of_the_issuers_makes_no_refresh_per_lease(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with logged_in() as here:
        here.server.skew = -2 * 3600.0
        here.clock.advance(3600)
        first = await here.token()
        for _ in range(5):
            assert await here.token() == first
        assert here.server.refreshes == 1
        assert "is over by this machine's clock" in caplog.text
        await here.refuse(first)
        assert await here.token(forced=True) != first


@pytest.mark.parametrize("skew", [-2 * 3600.0, -3590.0])
async def test_holders_whose_clock_is_ahead_share_one_refresh(skew: float) -> None:
    async with logged_in(lifetime=-1, refreshed_at=None) as here:
        here.server.skew = skew
        auths = [RefreshingAuth(here.store, clock=here.clock) for _ in range(5)]
        async with anyio.create_task_group() as tasks:
            for auth in auths:
                tasks.start_soon(auth.tokens)
        here.clock.advance(1)
        for auth in [*auths, RefreshingAuth(here.store, clock=here.clock)]:
            assert await auth.tokens() == await here.stored()
        assert here.server.refreshes == 1
        for auth in auths:
            await auth.aclose()


def codex_file(folder: Path, tokens: TokenSet) -> None:
    document = {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token}
    provenance = {"issuer": tokens.issuer, "client_id": tokens.client_id}
    (folder / "auth.json").write_text(json.dumps({"tokens": document | {"oauth_provenance": provenance}}))


async def test_an_imported_copy_is_read_again_from_where_it_came(tmp_path: Path) -> None:
    async with logged_in() as here:
        account = here.server.accounts[0]
        codex_file(tmp_path, here.server.issue(account, lifetime=10))
        (copy,) = import_from_codex(tmp_path)
        assert copy.origin == str(tmp_path / "auth.json")
        await here.store.save(copy)
        async with RefreshingAuth(here.store, clock=here.clock) as auth:
            here.clock.advance(20)
            with pytest.raises(LoginRequiredError, match=rf"is borrowed of {tmp_path}/auth\.json, and only Codex"):
                await auth.tokens()
            newer = here.server.issue(account)
            codex_file(tmp_path, newer)
            assert (await auth.tokens()).access_token == newer.access_token
            again = await here.stored()
            assert (again.access_token, again.refresh_token, again.borrowed, again.origin) == (
                newer.access_token,
                None,
                True,
                copy.origin,
            )
        assert here.server.requests == []


async def test_what_was_read_again_is_used_even_if_it_cannot_be_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with logged_in() as here:
        account = here.server.accounts[0]
        codex_file(tmp_path, here.server.issue(account, lifetime=10))
        await here.store.save(import_from_codex(tmp_path)[0])
        here.clock.advance(20)
        newer = here.server.issue(account)
        codex_file(tmp_path, newer)
        here.store.full = True
        assert await here.token() == newer.access_token
        assert "has been read again from" in caplog.text


@pytest.mark.parametrize("content", ["other", "none", "broken"])
async def test_another_login_where_a_copy_came_from_is_not_taken(tmp_path: Path, content: str) -> None:
    async with logged_in() as here:
        codex_file(tmp_path, here.server.issue(here.server.accounts[0], lifetime=10))
        await here.store.save(import_from_codex(tmp_path)[0])
        here.clock.advance(20)
        match content:
            case "other":
                codex_file(tmp_path, here.server.issue(here.server.add_account("acct-2")))
            case "none":
                (tmp_path / "auth.json").unlink()
            case _:
                (tmp_path / "auth.json").write_text("{")
        with pytest.raises(LoginRequiredError, match="is borrowed"):
            await here.token()


async def test_a_borrowed_login_is_read_again_and_never_rotated() -> None:
    async with logged_in(lifetime=-1, borrowed=True, source="codex") as here:
        for _ in range(2):
            with pytest.raises(LoginRequiredError, match=r"is borrowed, and only Codex \(run `codex`\) renews"):
                await here.token()
        newer = replace(here.server.issue(here.server.accounts[0]), borrowed=True)
        await here.store.save(newer)
        assert await here.token() == newer.access_token
        await here.refuse(newer.access_token)
        with pytest.raises(LoginRequiredError, match="is borrowed"):
            await here.token(forced=True)
        with pytest.raises(LoginRequiredError, match="is borrowed"):
            await here.auth.refresh()
        assert here.server.requests == []


async def test_codexs_own_file_is_read_again_when_codex_has_renewed_it(tmp_path: Path) -> None:
    async with logged_in() as here:

        def write(tokens: TokenSet) -> None:
            document = '{"tokens": {"access_token": "%s", "refresh_token": "%s"}}'
            (tmp_path / "auth.json").write_text(document % (tokens.access_token, tokens.refresh_token))

        write(here.server.issue(here.server.accounts[0], lifetime=-1))
        async with RefreshingAuth(CodexTokenStore(tmp_path), clock=here.clock) as auth:
            with pytest.raises(LoginRequiredError, match="run `codex`"):
                await auth.tokens()
            newer = here.server.issue(here.server.accounts[0])
            write(newer)
            assert (await auth.tokens()).access_token == newer.access_token
        assert here.server.requests == []


async def test_a_login_without_a_refresh_token_lasts_as_long_as_its_access_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with logged_in(lifetime=200, refresh_token=None) as here:
        for _ in range(3):
            assert await here.token() == here.first.access_token
        assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
        here.clock.advance(201)
        with pytest.raises(LoginRequiredError, match="has no refresh token"):
            await here.token()


@pytest.mark.parametrize("token", ["line\nbreak", "ümlaut", " blank", "two words"])
async def test_a_token_that_no_header_can_carry_is_refused_unseen(token: str) -> None:
    store = MemoryTokenStore([TokenSet(access_token=token)])
    async with RefreshingAuth(store, clock=ManualClock()) as auth:
        with pytest.raises(LoginRequiredError, match="has a character that no header can") as caught:
            await auth.lease(conversation_id=None, forced_refresh=False)
        assert token not in repr(caught.value)


async def test_a_cancelled_wait_for_the_lock_leaves_the_renewal_to_the_next() -> None:
    async with logged_in(lifetime=-1) as here:
        leases: list[str] = []

        async def lease() -> None:
            leases.append(await here.token())

        async def lease_until_cancelled() -> None:
            with scope:
                await lease()

        scope = anyio.CancelScope()
        async with anyio.create_task_group() as tasks, here.store.lock(here.first.key):
            tasks.start_soon(lease_until_cancelled)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(lease)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
        assert leases == [(await here.stored()).access_token]
        assert here.server.refreshes == 1


async def test_a_refresh_that_is_under_way_is_finished_and_saved_though_its_task_is_cancelled() -> None:
    async with logged_in(lifetime=-1) as here:
        here.server.disturb("/oauth/token", Hold())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.token)
            await here.server.received(1)
            tasks.cancel_scope.cancel()
            here.server.release()
        assert (await here.stored()).access_token != here.first.access_token
        assert await here.token() == (await here.stored()).access_token
        assert here.server.refreshes == 1


async def test_a_wait_between_two_tries_can_be_cancelled() -> None:
    async with logged_in(lifetime=-1, auto_advance=False) as here:
        here.server.fail("/oauth/token", SERVER_ERROR, times=3)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.token)
            await here.clock.wait_for_timer(1.0)
            tasks.cancel_scope.cancel()
        assert here.server.refreshes == 1


async def test_the_lock_is_free_between_two_tries() -> None:
    async with logged_in(lifetime=-1, auto_advance=False) as here:
        here.server.fail("/oauth/token", SERVER_ERROR)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.token)
            await here.clock.wait_for_timer(1.0)
            with anyio.fail_after(10):
                async with here.store.lock(here.first.key):
                    pass
            here.clock.advance(1.0)
        assert here.server.refreshes == 2


class LocalOAuth(OAuthClient):
    """Gives a new token for each refresh by itself, after a checkpoint."""

    refreshes = 0

    async def refresh(self, tokens: TokenSet, *, reason: RefreshReason) -> TokenSet:
        self.refreshes += 1
        token = f"access-{self.refreshes}"
        await anyio.lowlevel.checkpoint()
        return tokens.refreshed(
            access_token=token, refresh_token="next", id_token=None, now=self.clock.time(), expires_in=100
        )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_provider_serves_one_event_loop_after_the_other_even_if_the_first_was_left_in_a_refresh(
    backend: str, tmp_path: Path
) -> None:
    clock = ManualClock()
    store = FileTokenStore(tmp_path / "accounts.json")
    oauth = LocalOAuth(clock=clock)
    auth = RefreshingAuth(store, oauth=oauth, clock=clock)

    async def left_in_the_middle() -> None:
        await store.save(login(lifetime=-1, refreshed_at=None))
        async with store.lock(login().key), anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(auth.tokens)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    async def whole() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(auth.tokens)
        clock.advance(200)

    anyio.run(left_in_the_middle, backend=backend)
    assert oauth.refreshes == 0
    for count in (1, 2):
        anyio.run(whole, backend=backend)
        assert oauth.refreshes == count


def test_its_repr_names_store_and_key() -> None:
    auth = RefreshingAuth(MemoryTokenStore(), "k", clock=ManualClock())
    assert repr(auth) == "RefreshingAuth(MemoryTokenStore(0 accounts), key='k')"
