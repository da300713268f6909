"""When to try again and how long to wait: decisions without clock or dice."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from codex_client.classify import status_error
from codex_client.client.config import RetryPolicy
from codex_client.client.retry import AttemptBudget, delay, should_retry, waits_too_long
from codex_client.errors import (
    AuthenticationError,
    CodexError,
    ConfigurationError,
    ConnectError,
    DnsError,
    FirstEventTimeoutError,
    LoginRequiredError,
    MissingCredentialsError,
    PoolExhaustedError,
    PoolTimeoutError,
    ProtocolError,
    RateLimitError,
    ReadError,
    RedirectError,
    RetryLimitError,
    ServerError,
    TlsError,
    TokenRefreshError,
    UnexpectedContentError,
    UsageLimitReachedError,
)

POLICY = RetryPolicy()
NO_JITTER = 0.5


@pytest.mark.parametrize(
    "retry_number, seconds",
    [(1, 0.2), (2, 0.4), (3, 0.8), (4, 1.6), (5, 3.2), (8, 25.6), (9, 30.0), (10, 30.0), (100, 30.0), (10_000, 30.0)],
)
def test_the_ladder_doubles_up_to_its_cap(retry_number: int, seconds: float) -> None:
    assert delay(POLICY, retry_number, None, NO_JITTER) == seconds


@pytest.mark.parametrize("random, seconds", [(0.0, 0.18), (0.25, 0.19), (0.75, 0.21), (1.0, 0.22)])
def test_jitter_is_a_tenth_to_both_sides(random: float, seconds: float) -> None:
    assert delay(POLICY, 1, None, random) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "retry_number, advice, seconds",
    [(1, 0.0, 0.2), (1, 0.1, 0.2), (1, 0.21, 0.21), (1, 5.0, 5.0), (3, 0.5, 0.8), (1, 45.5, 45.5)],
)
def test_advice_only_ever_makes_the_wait_longer(retry_number: int, advice: float, seconds: float) -> None:
    assert delay(POLICY, retry_number, advice, NO_JITTER) == seconds


@given(st.integers(1, 200), st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_no_wait_ends_before_the_advice_whatever_the_dice_say(retry_number: int, advice: float, random: float) -> None:
    assert delay(POLICY, retry_number, advice, random) >= advice


@given(
    st.floats(0, 100),
    st.floats(1, 1e6),
    st.floats(0, 1),
    st.floats(0, 100),
    st.integers(1, 10**6),
    st.floats(0, 1, exclude_max=True),
)
def test_the_wait_stays_within_the_policys_bounds(
    base: float, factor: float, jitter: float, cap: float, retry_number: int, random: float
) -> None:
    policy = RetryPolicy(base_delay=base, factor=factor, jitter=jitter, max_delay=cap)
    assert 0 <= delay(policy, retry_number, None, random) <= cap * (1 + jitter)


def test_the_budget_counts_attempts_from_one() -> None:
    budget = AttemptBudget(4, 5)
    assert (budget.attempts, budget.begin_attempt(), budget.begin_attempt(), budget.attempts) == (0, 1, 2, 2)


@pytest.mark.parametrize("requests, streams", [(0, 0), (4, 5), (0, 3), (2, 0)])
def test_each_layer_draws_on_its_own_share(requests: int, streams: int) -> None:
    budget = AttemptBudget(requests, streams)
    took_streams = [budget.take_stream_restart() for _ in range(streams + 2)]
    took_requests = [budget.take_request_retry() for _ in range(requests + 2)]
    assert took_streams == [True] * streams + [False] * 2
    assert took_requests == [True] * requests + [False] * 2
    assert (budget.request_retries, budget.request_retries_left) == (requests, 0)
    assert (budget.stream_restarts, budget.stream_restarts_left) == (streams, 0)


@pytest.mark.parametrize(
    "error",
    [
        ConnectError("refused"),
        DnsError("no such name"),
        ReadError("reset"),
        ProtocolError("garbage"),
        PoolTimeoutError("full"),
        FirstEventTimeoutError("slow"),
        ServerError("500", status=500),
        RateLimitError("429 without advice", status=429),
        RateLimitError("429 with advice", status=429, retry_after=60.0),
    ],
    ids=repr,
)
def test_a_failure_of_the_moment_is_worth_another_attempt(error: CodexError) -> None:
    assert should_retry(error, POLICY)


@pytest.mark.parametrize(
    "error",
    [
        None,
        TlsError("bad certificate"),
        RedirectError("elsewhere"),
        ConfigurationError("wrong"),
        MissingCredentialsError("no key"),
        LoginRequiredError("log in"),
        TokenRefreshError("revoked", permanent=True),
        TokenRefreshError("the token endpoint is down, after three tries"),
        PoolExhaustedError("nobody left"),
        UsageLimitReachedError("used up", status=429, retry_after=1.0),
        UnexpectedContentError("a login page"),
        RetryLimitError("tried enough", attempts=5, last_error=ServerError("500")),
        ValueError("a fault in the program"),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_what_another_attempt_cannot_mend_is_final(error: BaseException | None) -> None:
    assert not should_retry(error, POLICY, can_refresh=True)


@pytest.mark.parametrize("can_refresh", [True, False])
def test_a_401_is_worth_another_attempt_only_with_another_credential(can_refresh: bool) -> None:
    assert should_retry(AuthenticationError("401", status=401), POLICY, can_refresh=can_refresh) is can_refresh


@pytest.mark.parametrize("advice, too_long", [(None, False), (0.0, False), (60.0, False), (60.1, True), (3600.0, True)])
def test_advice_beyond_the_policy_is_not_slept(advice: float | None, too_long: bool) -> None:
    error = ServerError("503", status=503, retry_after=advice)
    assert waits_too_long(error, POLICY) is too_long
    assert should_retry(error, POLICY) is not too_long


# 503 and 529 overload, 408 and 409 passing conflicts; the rest of 4xx is the request's own fault. 405 and 410 as any
# unknown 4xx.
_BY_STATUS = {
    **dict.fromkeys([408, 409, 429, 500, 502, 503, 504, 520, 525, 529, 599], True),
    **dict.fromkeys([400, 402, 403, 404, 405, 410, 413, 422], False),
}


@pytest.mark.parametrize("status, again", _BY_STATUS.items())
@pytest.mark.parametrize(
    "headers, advice",
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "0", "retry-after": "1"}, 1.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "61"}, 61.0),
        ({"retry-after": "Wed, 15 Nov 2023 22:13:20 GMT"}, 86400.0),
    ],
    ids=lambda value: ",".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else None,
)
def test_every_status_with_every_form_of_advice(
    status: int, again: bool, headers: dict[str, str], advice: float | None
) -> None:
    error = status_error(status=status, body="", headers=headers, url=None, now=1_700_000_000.0)
    assert error.retry_after == advice
    assert should_retry(error, POLICY) is (again and (advice or 0) <= POLICY.max_retry_after)
    assert delay(POLICY, 1, error.retry_after, NO_JITTER) == max(0.2, advice or 0)
