"""Which account serves a turn: the three selections, as laws on values."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, strategies as st

from codex_client.credentials.selection import (
    AccountCandidate,
    AccountChoice,
    AccountSelection,
    LeaseRequest,
    least_used,
    round_robin,
    selection_of,
    sticky,
)
from codex_client.errors import ConfigurationError

SELECTIONS = [sticky, round_robin, least_used]
candidates_of_any_kind = st.lists(
    st.builds(
        AccountCandidate,
        key=st.sampled_from("abcdefgh"),
        order=st.integers(0, 7),
        plan_type=st.sampled_from([None, "plus", "pro"]),
        plan_rank=st.integers(0, 3),
        remaining_percent=st.floats(0, 100),
        spends_credit=st.booleans(),
        conversations=st.integers(0, 5),
        in_flight=st.integers(0, 5),
        leases=st.integers(0, 50),
    ),
    min_size=1,
    max_size=8,
    unique_by=(lambda one: one.key, lambda one: one.order),
)
turns = st.builds(
    LeaseRequest, current=st.none() | st.sampled_from("abcdefgh"), previous_order=st.none() | st.integers(0, 7)
)


@pytest.mark.parametrize("selection", SELECTIONS)
@given(candidates=candidates_of_any_kind, turn=turns, seed=st.randoms())
def test_the_choice_is_a_candidate_and_does_not_depend_on_their_order(
    selection: AccountSelection, candidates: list[AccountCandidate], turn: LeaseRequest, seed: Random
) -> None:
    choice = selection(candidates, turn)
    assert choice.key in {one.key for one in candidates}
    assert choice.reason
    assert set(choice.passed_over) == {one.key for one in candidates} - {choice.key}
    assert all(choice.passed_over.values())
    shuffled = list(candidates)
    seed.shuffle(shuffled)
    assert selection(shuffled, turn) == choice


@given(candidates=candidates_of_any_kind, turn=turns)
def test_C1_sticky_keeps_a_conversation_on_its_account(candidates: list[AccountCandidate], turn: LeaseRequest) -> None:
    current = next((one for one in candidates if one.key == turn.current), None)
    chosen = sticky(candidates, turn).key
    if current is not None and not current.spends_credit:
        assert chosen == current.key


@given(candidates=candidates_of_any_kind)
def test_sticky_spreads_new_conversations(candidates: list[AccountCandidate]) -> None:
    chosen = next(one for one in candidates if one.key == sticky(candidates, LeaseRequest()).key)
    alike = [one for one in candidates if one.spends_credit == chosen.spends_credit]
    assert chosen.conversations == min(one.conversations for one in alike)


@given(candidates=candidates_of_any_kind)
def test_least_used_takes_the_one_with_the_most_left(candidates: list[AccountCandidate]) -> None:
    free = [one for one in candidates if not one.spends_credit] or candidates
    chosen = next(one for one in free if one.key == least_used(candidates, LeaseRequest()).key)
    assert chosen.remaining_percent == max(one.remaining_percent for one in free)


@pytest.mark.parametrize("selection", SELECTIONS)
@given(candidates=candidates_of_any_kind, turn=turns)
def test_credit_is_spent_only_where_nothing_else_is_left(
    selection: AccountSelection, candidates: list[AccountCandidate], turn: LeaseRequest
) -> None:
    chosen = next(one for one in candidates if one.key == selection(candidates, turn).key)
    assert not chosen.spends_credit or all(one.spends_credit for one in candidates)


@given(orders=st.lists(st.integers(0, 20), min_size=1, max_size=6, unique=True), start=st.none() | st.integers(0, 20))
def test_round_robin_serves_each_once_in_a_round(orders: list[int], start: int | None) -> None:
    candidates = [AccountCandidate(key=str(order), order=order) for order in orders]
    served: list[int] = []
    for _ in orders:
        start = int(round_robin(candidates, LeaseRequest(previous_order=start)).key)
        served.append(start)
    assert sorted(served) == sorted(orders)


@pytest.mark.parametrize(
    "better, worse, words",
    [
        (
            AccountCandidate(key="b", order=1, conversations=1),
            AccountCandidate(key="a", conversations=2),
            "it has 1 conversation",
        ),
        (
            AccountCandidate(key="b", order=1, in_flight=1),
            AccountCandidate(key="a", in_flight=2),
            "it has 1 attempt in flight",
        ),
        (
            AccountCandidate(key="b", order=1, remaining_percent=61.5),
            AccountCandidate(key="a", remaining_percent=40),
            "it has 61.5 % left",
        ),
        (
            AccountCandidate(key="b", order=1, plan_type="pro"),
            AccountCandidate(key="a", plan_type="free", plan_rank=4),
            "it is on the plan pro",
        ),
        (AccountCandidate(key="a", order=0), AccountCandidate(key="b", order=1), "it is number 1 of the pool"),
    ],
)
def test_sticky_goes_by_conversations_flights_quota_plan_and_place(
    better: AccountCandidate, worse: AccountCandidate, words: str
) -> None:
    choice = sticky([worse, better], LeaseRequest())
    assert choice.key == better.key
    assert choice.reason.startswith(f"{words}, the next best ")
    assert choice.passed_over[worse.key].endswith(f", the one chosen {words.removeprefix('it ')}")


def test_the_reason_says_that_a_conversation_stays() -> None:
    choice = sticky(
        [AccountCandidate(key="a", conversations=9), AccountCandidate(key="b", order=1)], LeaseRequest(current="a")
    )
    assert choice == AccountChoice(
        "a", "this conversation is already on it", {"b": "it is not this conversation's account"}
    )


def test_the_only_candidate_is_chosen_as_such() -> None:
    assert sticky([AccountCandidate(key="a")], LeaseRequest()) == AccountChoice(
        "a", "it is the only account that can serve"
    )


def test_a_selection_goes_by_its_name_or_is_a_function() -> None:
    assert [selection_of("sticky"), selection_of("round_robin"), selection_of("least_used")] == SELECTIONS
    assert selection_of(round_robin) is round_robin
    with pytest.raises(ConfigurationError, match="no selection is called 'random'; give one of sticky, round_robin"):
        selection_of("random")  # pyright: ignore[reportArgumentType]
