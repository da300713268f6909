"""Calls and the outputs that answer them: paired in their order, each pair under an id of its own.

Some servers begin anew with `call_0` in every step. OpenAI's Chat API takes such a history; the payload builders want
one id for one call. So a call whose id was there before gets another, which depends on what comes before it alone: it
stays the same while the history grows.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from codex_client.bridge.fields import fault
from codex_client.items import ResponseItem
from codex_client.payload.calls import pair_id, with_pair_id
from codex_client.payload.history import ANSWERS, asked_call_id


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that has no output so far. `place` is the caller's, `kind` the item's type."""

    call_id: str
    place: str
    kind: str


class CallPairs:
    """The pairs of one history. `continues`: the server holds the earlier part of it, so a call may be there."""

    def __init__(self, *, continues: bool = False) -> None:
        self._continues = continues
        self._taken: set[str] = set()
        self._times: Counter[str] = Counter()
        self._given: defaultdict[str, deque[OpenCall]] = defaultdict(deque)
        self._open: dict[str, OpenCall] = {}

    def call(self, given_id: str, *, place: str, kind: str, made_up_id: str = "") -> str:
        """The call's own id. One without any is `made_up_id`, and answered by the first output without any."""
        call = OpenCall(self._own_id(given_id or made_up_id), place, kind)
        self._given[given_id].append(call)
        self._open[call.call_id] = call
        return call.call_id

    def output(self, given_id: str, *, place: str) -> OpenCall | None:
        """The first open call with this id; None for one of the earlier part. Raises `InvalidPayloadError`."""
        if calls := self._given.get(given_id):
            call = calls.popleft()
            del self._open[call.call_id]
            return call
        if not given_id:
            raise fault(place, "is missing or empty; give the id of the call that this answers", place)
        if given_id in self._given:
            raise fault(
                place, f"answers call {given_id!r} a second time; a call has one output, remove the other", place
            )
        if self._continues:
            return None
        raise fault(
            place,
            f"answers call {given_id!r}, which does not come before it; keep the call, ahead of its output",
            place,
        )

    def check_all_answered(self) -> None:
        """Raises `InvalidPayloadError`: both APIs refuse to go on without the output of each call."""
        if self._open:
            call = next(iter(self._open.values()))
            problem = (
                f"is call {call.call_id!r}, which has no output; add one (it may be 'aborted' where the tool was not "
                "run), or remove the call"
            )
            raise fault(call.place, problem, call.place)

    def _own_id(self, call_id: str) -> str:
        own = call_id
        while own in self._taken:
            self._times[call_id] += 1
            own = f"{call_id}_{self._times[call_id] + 1}"
        self._taken.add(own)
        return own


def paired(items: Sequence[ResponseItem], *, continues: bool) -> list[ResponseItem]:
    """The items of a Responses request's `input`, each call with an id of its own. Raises `InvalidPayloadError`.

    What an `item_reference` stands for may be a call.
    """
    pairs = CallPairs(continues=continues or any(item.type == "item_reference" for item in items))
    own = [_own(item, f"input[{index}]", pairs) for index, item in enumerate(items)]
    pairs.check_all_answered()
    return own


def _own(item: ResponseItem, place: str, pairs: CallPairs) -> ResponseItem:
    given_id = pair_id(item)
    if given_id is None:
        return item
    place_of_id = f"{place}.{'id' if item.type == 'local_shell_call_output' else 'call_id'}"
    if asked_call_id(item) is not None:
        if not given_id:
            raise fault(
                place_of_id, "is missing or empty; give each call an id, by which its output finds it", place_of_id
            )
        own_id = pairs.call(given_id, place=place, kind=item.type)
    else:
        call = pairs.output(given_id, place=place_of_id)
        if call is not None and item.type not in ANSWERS[call.kind]:
            problem = f"is no answer to a {call.kind}, as call {given_id!r} is one; send a {ANSWERS[call.kind][0]}"
            raise fault(f"{place}.type", problem, f"{place}.type")
        own_id = given_id if call is None else call.call_id
    return item if own_id == given_id else with_pair_id(item, own_id)
