"""Calls and the outputs that answer them, which go by the same id: made to fit a server, or left out without partner.

The rule for ids is that of OpenAI's servers: a limit on their length, printable ASCII, and no "<". Longer and stranger
ones come with a history from another server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

from codex_client.items import OtherItem, ResponseItem
from codex_client.payload.history import answered_call_id, answers, asked_call_id, given_call_id

_TAKEN = re.compile(r"[ -;=-~]*")
_DIGEST_CHARS = 24


def fitting_id(call_id: str, max_chars: int) -> str:
    """The id, or one made from it where the server would refuse it: always the same one."""
    if len(call_id) <= max_chars and _TAKEN.fullmatch(call_id):
        return call_id
    return f"call_{sha256(call_id.encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGEST_CHARS]}"


def with_fitting_ids(items: Sequence[ResponseItem], max_chars: int | None) -> list[ResponseItem]:
    """The items with ids of calls that the server takes; None for a server that takes any."""
    if max_chars is None:
        return list(items)
    return [_fitted(item, max_chars) for item in items]


def pair_id(item: ResponseItem) -> str | None:
    """The id by which a call and its output find each other, None for any other item."""
    asked = asked_call_id(item)
    return answered_call_id(item) if asked is None else asked


def with_pair_id(item: ResponseItem, call_id: str) -> ResponseItem:
    """The call, or the output, under another id. One output goes by its `id`."""
    return item.model_copy(update={"id" if item.type == "local_shell_call_output" else "call_id": call_id})


def _fitted(item: ResponseItem, max_chars: int) -> ResponseItem:
    call_id = pair_id(item)
    if call_id is None and isinstance(item, OtherItem):
        # Whatever it is, the rule is one for the field.
        call_id = given_call_id(item)
    fitting = None if call_id is None else fitting_id(call_id, max_chars)
    return item if fitting is None or fitting == call_id else with_pair_id(item, fitting)


def without_orphans(items: Iterable[ResponseItem]) -> list[ResponseItem]:
    """The items without outputs that answer no call before them and calls that have no output, in the same order.

    A history may lose one of a pair where it is cut, edited or broken off, and servers refuse it then. Who builds the
    prompt decides whether to mend it so, because the model no longer sees what is left out. Of two calls with one id,
    or two outputs of one call, the first is kept.
    """
    items = list(items)
    pairs = _pairs(items)
    in_pairs = {index for pair in pairs for index in pair}
    return [item for index, item in enumerate(items) if index in in_pairs or not _is_half(item)]


def _pairs(items: Sequence[ResponseItem]) -> list[tuple[int, int]]:
    """The places of each call and of its output."""
    waiting: dict[str, tuple[int, ResponseItem]] = {}
    met: set[str] = set()
    pairs: list[tuple[int, int]] = []
    for index, item in enumerate(items):
        if (call_id := asked_call_id(item)) is not None:
            if call_id and call_id not in met:
                met.add(call_id)
                waiting[call_id] = (index, item)
        elif (answered := answered_call_id(item)) is not None and answered in waiting:
            at, call = waiting[answered]
            if answers(item, call):
                del waiting[answered]
                pairs.append((at, index))
    return pairs


def _is_half(item: ResponseItem) -> bool:
    return pair_id(item) is not None
