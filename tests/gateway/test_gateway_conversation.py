"""Which conversation a request belongs to."""

from __future__ import annotations

import pytest

from codex_client.gateway.conversation import conversation_of
from codex_client.items import Message
from codex_client.prompt import Prompt

BEGUN = Prompt([Message.user("Hello")], instructions="Be brief.")


@pytest.mark.parametrize("name", ["session-id", "session_id", "x-session-id", "conversation_id"])
def test_a_header_names_it(name: str) -> None:
    prompt = Prompt("Hello", prompt_cache_key="cached")
    assert conversation_of({name: " mine "}, prompt) == "mine"


def test_a_prompt_cache_key_names_it_where_no_header_does() -> None:
    assert conversation_of({"session-id": " "}, Prompt("Hello", prompt_cache_key="cached")) == "cached"


def test_its_next_turns_keep_the_name_that_was_made_of_its_beginning() -> None:
    later = Prompt([*BEGUN.items, Message.assistant("Hi"), Message.user("And?")], instructions="Be brief.")
    assert conversation_of({}, later) == conversation_of({}, BEGUN)


@pytest.mark.parametrize(
    "other",
    [
        Prompt([Message.user("Hello!")], instructions="Be brief."),
        Prompt([Message.user("Hello")], instructions="Be long."),
        Prompt([Message.developer("Hello")], instructions="Be brief."),
        Prompt([Message.user("")], instructions="Be brief.Hello"),
    ],
)
def test_another_beginning_is_another_conversation(other: Prompt) -> None:
    assert conversation_of({}, other) != conversation_of({}, BEGUN)


def test_a_made_name_shows_nothing_of_the_prompt_and_has_a_uuids_form() -> None:
    name = conversation_of({}, BEGUN)
    assert (len(name), name.count("-"), name[14]) == (36, 4, "5")


@pytest.mark.parametrize("odd", ["x" * 129, "gr\u00fcn", "a\tb", "\ud800"])
def test_a_name_that_is_no_header_value_is_replaced_by_the_same_one_each_time(odd: str) -> None:
    made = conversation_of({}, Prompt("Hello", prompt_cache_key=odd))
    assert made == conversation_of({}, Prompt("Hello", prompt_cache_key=odd))
    assert len(made) == 36
