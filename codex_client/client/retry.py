"""When to try again, and how long to wait first. Pure: no clock and no dice; what they give is an argument."""

from __future__ import annotations

from codex_client.client.config import RetryPolicy
from codex_client.errors import AuthenticationError, AuthError, CodexError

# A pool takes the failed account out of its choice, so a turn ends before this: it guards against one that does not.
MAX_ROTATIONS = 32


class AttemptBudget:
    """What one turn may still try. One object, shared by the request layer and the stream layer.

    The turn makes at most 1 + request_max_retries + stream_max_retries attempts, and each layer draws only on its own
    share, so that the two do not multiply. The one retry after a refreshed credential draws on neither, nor does the
    move to another account. What a guard refuses is counted here, and bounded by `GuardPolicy`.

    `attempts`: begun so far. `client_request_id`: the id that all of them carry, set by the first. `refreshed`: a 401
    has been answered with a new credential, which happens once in a turn for each account. `garbled` and `empty` count
    the attempts that a guard refused.
    """

    def __init__(self, request_max_retries: int, stream_max_retries: int) -> None:
        self.attempts: int = 0
        self.request_retries: int = 0
        self.stream_restarts: int = 0
        self.rotations: int = 0
        self.garbled: int = 0
        self.empty: int = 0
        self.refreshed: bool = False
        self.client_request_id: str | None = None
        self._request_max_retries = request_max_retries
        self._stream_max_retries = stream_max_retries

    def begin_attempt(self) -> int:
        """Count one attempt and give its number, from 1."""
        self.attempts += 1
        return self.attempts

    @property
    def request_retries_left(self) -> int:
        return self._request_max_retries - self.request_retries

    @property
    def stream_restarts_left(self) -> int:
        return self._stream_max_retries - self.stream_restarts

    def take_request_retry(self) -> bool:
        """Use up one retry of the request layer; False where none is left."""
        if self.request_retries_left <= 0:
            return False
        self.request_retries += 1
        return True

    def take_stream_restart(self) -> bool:
        """Use up one restart of the stream layer; False where none is left."""
        if self.stream_restarts_left <= 0:
            return False
        self.stream_restarts += 1
        return True

    def take_rotation(self) -> bool:
        """Move on to another account, which may need a refresh of its own; False where that was done too often."""
        if self.rotations >= MAX_ROTATIONS:
            return False
        self.rotations += 1
        self.refreshed = False
        return True


def delay(policy: RetryPolicy, retry_number: int, advice: float | None, random: float) -> float:
    """Seconds to wait before retry `retry_number`, counted from 1. `random` is from [0, 1); 0.5 means no jitter.

    `advice` is what the server asked for, None for nothing: it makes the wait longer where it is longer, never shorter,
    so that a server that keeps saying 0 is not hammered. Jitter is applied before, so the wait never ends earlier than
    told.
    """
    jittered = _ladder(policy, retry_number) * (1 + policy.jitter * (2 * random - 1))
    return max(jittered, advice or 0.0)


def _ladder(policy: RetryPolicy, retry_number: int) -> float:
    try:
        return min(policy.base_delay * policy.factor ** (retry_number - 1), policy.max_delay)
    except OverflowError:
        return policy.max_delay if policy.base_delay else 0.0


def waits_too_long(error: CodexError, policy: RetryPolicy) -> bool:
    """Whether the server asks for a longer wait than the policy will sleep."""
    return error.retry_after is not None and error.retry_after > policy.max_retry_after


def should_retry(error: BaseException | None, policy: RetryPolicy, *, can_refresh: bool = False) -> bool:
    """Whether the same request is worth another attempt, if one is left.

    Only errors that say so of themselves are: limits, quota, plan, bad requests and a full context are not. A 401 is
    only with `can_refresh`: the credential can be renewed, and has not been in this turn. What a credential source
    raises is not: it has made its own tries, and those would multiply with the turn's.
    """
    if isinstance(error, AuthError):
        return False
    if isinstance(error, AuthenticationError):
        return can_refresh
    return isinstance(error, CodexError) and error.retryable and not waits_too_long(error, policy)
