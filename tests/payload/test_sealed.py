"""Encrypted reasoning is kept for who wrote it, and left out for everybody else."""

from __future__ import annotations

import pytest

from codex_client.items import Message, Reasoning, ReasoningText, ResponseItem, SummaryText, dump_item, parse_item
from codex_client.model_provider import built_in_providers
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.payload.sealed import issuer_tag, issuers_in, without_seals_of
from codex_client.prompt import Prompt

SAID = Message.user("hi")
MINE = Reasoning(summary=[SummaryText(text="s")], encrypted_content="gAAA", issuer="me")
THEIRS = Reasoning(summary=[SummaryText(text="s")], encrypted_content="gBBB", issuer="they")
UNTAGGED = Reasoning(encrypted_content="gCCC")
RAW = Reasoning(content=[ReasoningText(text="r")], encrypted_content="gDDD", issuer="they")
OPEN = Reasoning(summary=[SummaryText(text="s")], issuer="they")


def test_a_tag_names_server_account_and_model_without_telling_them() -> None:
    tags = {
        issuer_tag(*names)
        for names in [("h", "a@b.test", "m"), ("g", "a@b.test", "m"), ("h", "c@b.test", "m"), ("h", "a@b.test", "n"),
                      ("h", None, "m")]
    }  # fmt: skip
    assert len(tags) == 5
    assert all(tag.isalnum() and len(tag) == 16 for tag in tags)
    assert issuer_tag("h", None, "m") == issuer_tag("h", "", "m")


def test_the_issuers_of_a_history_are_told_by_what_they_encrypted() -> None:
    assert issuers_in([SAID, MINE, THEIRS, UNTAGGED]) == {"me", "they", None}
    assert issuers_in([SAID, OPEN]) == frozenset()


@pytest.mark.parametrize(
    "foreign, kept",
    [
        ({"they"}, [SAID, MINE, UNTAGGED, Reasoning(content=[ReasoningText(text="r")]), OPEN]),
        ({None}, [SAID, MINE, THEIRS, RAW, OPEN]),
        (set(), [SAID, MINE, THEIRS, UNTAGGED, RAW, OPEN]),
    ],
)
def test_what_others_encrypted_goes_with_its_summary(foreign: set[str | None], kept: list[ResponseItem]) -> None:
    assert without_seals_of([SAID, MINE, THEIRS, UNTAGGED, RAW, OPEN], foreign) == kept


def test_the_tag_is_kept_with_the_item_and_never_sent() -> None:
    assert dump_item(MINE)["issuer"] == "me"
    assert parse_item(dump_item(MINE)) == MINE
    for provider in built_in_providers().values():
        body = ResponsesPayloadBuilder(model="m", provider=provider).build(Prompt([SAID, MINE]))
        assert body["input"][1] == {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}],
                                    "encrypted_content": "gAAA"}  # fmt: skip


def test_an_item_of_nothing_but_a_tag_is_not_sent() -> None:
    body = ResponsesPayloadBuilder(model="m", provider=built_in_providers()["openai"]).build(
        Prompt([SAID, Reasoning(issuer="me")])
    )
    assert len(body["input"]) == 1
