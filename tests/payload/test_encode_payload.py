"""The bytes of a body."""

from __future__ import annotations

import json
import math
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.errors import InvalidPayloadError
from codex_client.payload.encode import encode_payload, plain

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def test_json_is_compact_utf_8_in_the_order_given():
    assert (
        encode_payload({"b": [1, 2.5, None, True], "a": "é豆🥌/\u2028"})
        == '{"b":[1,2.5,null,true],"a":"é豆🥌/\u2028"}'.encode()
    )


@given(st.dictionaries(TEXT, JSON))
def test_any_json_survives_the_encoding(payload: dict[str, Any]):
    assert json.loads(encode_payload(payload)) == payload


def looped() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    return loop


def nested(levels: int) -> list[Any]:
    return [nested(levels - 1)] if levels else []


@pytest.mark.parametrize(
    "payload, message",
    [
        pytest.param({"top_p": math.nan}, "payload.top_p is nan; JSON has finite numbers only", id="nan"),
        pytest.param(
            {"input": [{"n": 1}, {"n": -math.inf}]},
            "payload.input[1].n is -inf; JSON has finite numbers only",
            id="infinity",
        ),
        pytest.param(
            {"input": [{"text": "a\ud83d"}]},
            "payload.input[0].text holds half a character (a lone surrogate); "
            "replace it, as by text.encode('utf-8', 'replace').decode()",
            id="surrogate",
        ),
        pytest.param(
            {"metadata": {"\udc00": "a"}},
            "a key of payload.metadata holds half a character (a lone surrogate); "
            "replace it, as by text.encode('utf-8', 'replace').decode()",
            id="surrogate_key",
        ),
        pytest.param(
            {"a": [1, True, None], "b": {"c": ["d"]}, "stop": {"x"}},
            "payload.stop is of type set, which is no JSON; give text, numbers, lists or dictionaries",
            id="set",
        ),
        pytest.param(
            {"a": {1: 2, (1, 2): 3}},
            "payload.a has a key of type tuple; JSON objects have text keys only",
            id="tuple_key",
        ),
    ],
)
def test_what_is_no_json_is_refused_by_its_place(payload: dict[str, Any], message: str):
    with pytest.raises(InvalidPayloadError) as caught:
        encode_payload(payload)
    assert str(caught.value) == message


def test_a_structure_that_contains_itself_is_refused():
    with pytest.raises(InvalidPayloadError, match="is nested more than 200 deep, or contains itself; flatten it"):
        encode_payload(looped())


def test_a_structure_too_deep_for_the_encoder_is_refused():
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidPayloadError, match="is nested more than 200 deep"):
        encode_payload({"deep": deep})
    while deep:  # Unwound by hand: freeing it whole would recurse as deep.
        deep = deep.pop()


def test_copies_of_endless_structures_are_refused():
    with pytest.raises(
        InvalidPayloadError, match=r"^extra\.again\..*… is nested more than 200 deep, or contains itself"
    ):
        plain(looped(), name="extra")


def test_what_no_walk_explains_is_told_in_the_encoders_words(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any, **__: Any) -> str:
        raise ValueError("no")

    monkeypatch.setattr(json, "dumps", fail)
    with pytest.raises(InvalidPayloadError, match=r"^payload is no JSON: no$"):
        encode_payload({"a": 1})


def test_plain_copies_share_nothing_with_the_original():
    inner: list[Any] = [{"a": 1}]
    original = MappingProxyType({"inner": inner, "pair": (1, {"b": 2}), "text": "ab"})
    copy = plain(original)
    assert copy == {"inner": [{"a": 1}], "pair": [1, {"b": 2}], "text": "ab"}
    copy["inner"][0]["a"] = 9
    copy["pair"][1]["b"] = 9
    assert original == {"inner": [{"a": 1}], "pair": (1, {"b": 2}), "text": "ab"}
