"""Content and unknown fields on their way to Chat messages."""

from __future__ import annotations

import pytest

from codex_client.errors import InvalidPayloadError, UnsupportedOperationError
from codex_client.items import (
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    Message,
    OutputText,
    Refusal,
    ResponseItem,
    dump_item,
    parse_item,
)
from tests.support.chat_history import HI, USER, accepted, answered, call, called, messages, output, said


def test_text_alone_is_one_string():
    assert accepted(Message.user("a", "b")) == [{"role": "user", "content": "ab"}]
    assert accepted(USER, Message(role="assistant", content=[OutputText(text="a"), OutputText(text="b")])) == [
        HI,
        said("ab"),
    ]


def test_images_and_files_make_a_list_of_parts():
    parts = [
        InputImage(image_url="https://a.example/b.png"),
        InputImage.from_bytes(b"hi", "image/png", detail="low"),
        InputFile.from_bytes(b"hi", "text/plain", filename="a.txt"),
        InputFile(file_id="file_1"),
    ]
    assert accepted(Message.user("see", *parts)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}},
                {"type": "file", "file": {"file_id": "file_1"}},
            ],
        }
    ]


def test_a_refusal_is_sent_as_the_words_it_is():
    refused = Message(role="assistant", content=[Refusal(refusal="I cannot."), OutputText(text=" Sorry.")])
    assert accepted(USER, refused) == [HI, said("I cannot. Sorry.")]


def test_a_tools_text_parts_are_one_string_and_its_images_are_parts():
    text = FunctionCallOutput(call_id="c1", output=[InputText(text="a"), InputText(text="b")])
    assert accepted(call(1), text)[1] == {"role": "tool", "tool_call_id": "c1", "content": "ab"}
    image = FunctionCallOutput(call_id="c1", output=[InputImage(image_url="data:,")])
    assert messages(call(1), image)[1]["content"] == [{"type": "image_url", "image_url": {"url": "data:,"}}]


def test_parts_written_for_the_chat_api_are_sent_as_they_are():
    parts = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}},
    ]
    assert messages(parse_item({"role": "user", "content": parts})) == [{"role": "user", "content": parts}]


@pytest.mark.parametrize(
    "items, error, message",
    [
        pytest.param(
            [Message(role="system", content=[InputImage(image_url="data:,")])],
            InvalidPayloadError,
            "a message of the system holds an input_image, which the Chat Completions API takes in user messages only; "
            "move it to one",
            id="image_of_the_system",
        ),
        pytest.param(
            [Message(role="assistant", content=[InputImage(image_url="data:,")])],
            InvalidPayloadError,
            "an assistant message holds an input_image, which the Chat Completions API takes in user messages only; "
            "move it to one",
            id="image_of_the_assistant",
        ),
        pytest.param(
            [call(1), FunctionCallOutput(call_id="c1", output=[InputFile(file_id="file_1")])],
            InvalidPayloadError,
            "the output of call 'c1' holds an input_file, which the Chat Completions API takes in user messages only; "
            "move it to one",
            id="file_of_a_tool",
        ),
        pytest.param(
            [Message.user(InputImage(file_id="file_1"))],
            UnsupportedOperationError,
            "a message of the user holds an image by file_id, which the Chat Completions API does not know; "
            "give its image_url, or use InputImage.from_bytes",
            id="image_by_id",
        ),
        pytest.param(
            [Message.user(InputFile(file_url="https://a.example/b.pdf"))],
            UnsupportedOperationError,
            "a message of the user holds a file by file_url, which the Chat Completions API does not know; "
            "load it and use InputFile.from_bytes",
            id="file_by_url",
        ),
        pytest.param(
            [parse_item({"role": "user", "content": [{"type": "input_scent", "scent": "rose"}]})],
            UnsupportedOperationError,
            "a message of the user holds a part of type 'input_scent', for which the Chat Completions API has no form; "
            "leave it out",
            id="unknown",
        ),
    ],
)
def test_content_that_the_api_has_no_form_for_is_refused(
    items: list[ResponseItem], error: type[Exception], message: str
):
    with pytest.raises(error) as caught:
        messages(*items, tool_media=False)
    assert str(caught.value) == message


# Fields that this library does not know.


@pytest.mark.parametrize(
    "field",
    [
        *("annotations", "async", "caller", "created_by", "internal_chat_message_metadata_passthrough"),
        *("logprobs", "namespace", "status"),
    ],
)
def test_fields_of_the_responses_api_alone_stay_behind(field: str):
    part = {"type": "output_text", "text": "a", field: []}
    items = [parse_item({"role": "assistant", "content": [part]}), parse_item({**dump_item(call(1)), field: None})]
    assert accepted(*items, output(1)) == [said("a", called(1)), answered(1)]


def test_parts_of_the_assistant_with_fields_of_their_own_stay_parts():
    parts = [{"type": "output_text", "text": "a", "cache": 1}, {"type": "refusal", "refusal": "b", "cache": 2}]
    assert messages(parse_item({"role": "assistant", "content": parts}))[0]["content"] == [
        {"type": "text", "text": "a", "cache": 1},
        {"type": "text", "text": "b", "cache": 2},
    ]


def test_unknown_fields_never_replace_what_a_part_says():
    refusal = parse_item({"role": "assistant", "content": [{"type": "refusal", "refusal": "No.", "text": "stray"}]})
    assert messages(refusal) == [said("No.")]
    file = {"type": "input_file", "file_id": "file_1", "file": "stray"}
    assert messages(parse_item({"role": "user", "content": [file]}))[0]["content"] == [
        {"type": "file", "file": {"file_id": "file_1"}}
    ]


def test_unknown_fields_go_back_to_where_they_came_from():
    signature = {"google": {"thought_signature": "AA=="}}
    items = [
        parse_item(
            {"role": "user", "content": [{"type": "input_text", "text": "a", "cache_control": 1}], "name": "bo"}
        ),
        parse_item({"type": "message", "role": "assistant", "content": [], "annotations": [], "prefix": True}),
        parse_item({**call(1).model_dump(exclude_unset=True), "extra_content": signature, "namespace": "n"}),
        parse_item({**output(1).model_dump(exclude_unset=True), "name": "f1", "status": "completed"}),
        parse_item(
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b", "logprobs": []}]}
        ),
    ]
    assert messages(*items) == [
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": 1}], "name": "bo"},
        said(None, called(1) | {"extra_content": signature}),
        answered(1) | {"name": "f1"},
        said("b"),
    ]
