"""What a pool shows and keeps: no token, no e-mail address, no conversation id, in any encoding."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from codex_client.api import AttemptOutcome
from codex_client.auth.store import MemoryTokenStore
from codex_client.credentials.file_state import FilePoolState
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    PoolExhaustedError,
    UnexpectedStatusError,
    UsageLimitReachedError,
)
from codex_client.testing import ManualClock
from tests.support.logins import CANARY, EMAIL, NOW, login, secrets_of
from tests.support.pooled import lend, snapshot
from tests.support.secrecy import assert_unseen, everything_of

CONVERSATION = "conversation-canary-4711"
LOGINS = [login(name) for name in ("one", "two", "three")]
SECRETS = [CONVERSATION, CANARY, EMAIL, *(secret for tokens in LOGINS for secret in secrets_of(tokens))]


def echoing(error_type: type[UnexpectedStatusError], **more: Any) -> AttemptOutcome:
    """A refusal whose every text quotes what the server was told."""
    quoted = f"{EMAIL} {CONVERSATION} {LOGINS[0].access_token}"
    return AttemptOutcome(
        403,
        error_type(quoted, body=quoted, code=EMAIL, server_message=quoted, **more),
        [snapshot(3, at=NOW)],
    )


async def test_neither_pool_nor_state_shows_what_is_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    state = FilePoolState(tmp_path / "pool.json")
    pool = CredentialPool(MemoryTokenStore(LOGINS), state=state, clock=ManualClock(start=NOW))
    shown: list[object] = [pool, pool.for_limit("spark"), state]
    for outcome in (
        echoing(PermissionDeniedError),
        echoing(UsageLimitReachedError, retry_after=3600),
        echoing(AuthenticationError),
    ):
        lease = await lend(pool, CONVERSATION)
        await pool.report(lease, outcome)
        shown += [lease, await pool.accounts(), explanation := await pool.explain(CONVERSATION), str(explanation)]
    shown.append(await state.load())
    assert_unseen("\n".join(map(repr, shown)), SECRETS)
    assert_unseen((tmp_path / "pool.json").read_text(), SECRETS)
    assert_unseen(caplog.text, SECRETS)


async def test_the_error_of_an_exhausted_pool_shows_no_secret() -> None:
    pool = CredentialPool(MemoryTokenStore(LOGINS[:1]), clock=ManualClock(start=NOW))
    await pool.report(await lend(pool, CONVERSATION), echoing(PermissionDeniedError))
    with pytest.raises(PoolExhaustedError) as raised:
        await lend(pool, CONVERSATION)
    assert list(raised.value.reasons) == [LOGINS[0].key]
    assert_unseen(everything_of(raised.value), SECRETS)
