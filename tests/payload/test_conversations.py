"""Names of conversations and of the user's turns in them."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.items import FunctionCall, FunctionCallOutput, Message
from codex_client.payload.conversation import conversation_of, user_turn_of
from codex_client.prompt import Prompt

ASKED = [Message.user("Hello")]
CALLED = [*ASKED, FunctionCall(call_id="1", name="f", arguments="{}"), FunctionCallOutput(call_id="1", output="2")]


def test_a_name_that_is_given_comes_before_the_prompts_cache_key() -> None:
    prompt = Prompt("Hello", prompt_cache_key="cached")
    assert (conversation_of(prompt, "mine"), conversation_of(prompt)) == ("mine", "cached")


def test_a_history_has_one_name_from_its_beginning_on() -> None:
    names = {conversation_of(Prompt(items)) for items in (ASKED, CALLED, [*CALLED, Message.user("And?")])}
    assert names == {conversation_of(Prompt("Hello"))}
    assert conversation_of(Prompt("Hello", instructions="Be brief.")) not in names


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt([]),
        Prompt([Message.developer("Be brief.")]),
        Prompt("\ud800"),
        Prompt("Hello", instructions="\ud800"),
        Prompt([{"role": "user", "content": [{"type": "input_text", "text": "x", "odd": {1, 2}}]}]),
    ],
    ids=["nothing", "no_user", "half_a_character", "half_a_character_in_instructions", "no_json"],
)
def test_what_cannot_be_sent_has_names_too(prompt: Prompt) -> None:
    assert len(conversation_of(prompt)) == 36
    assert user_turn_of(prompt)


def test_instructions_may_be_none_at_all() -> None:
    nothing: Any = None
    assert conversation_of(Prompt("Hello", instructions=nothing)) == conversation_of(Prompt("Hello"))


def test_a_turn_of_the_users_lasts_until_they_speak_again() -> None:
    turn = user_turn_of(Prompt(ASKED))
    assert user_turn_of(Prompt(CALLED)) == turn
    assert user_turn_of(Prompt([*CALLED, *ASKED])) != turn
    assert user_turn_of(Prompt([Message.user("Hello?")])) != turn
