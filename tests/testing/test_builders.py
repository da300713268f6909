"""The builders of single events: shapes as the API sends them."""

from __future__ import annotations

import pytest

from codex_client.client.framer import SseFramer
from codex_client.model_variants import TokenUsage
from codex_client.testing import (
    custom_tool_call_item,
    ev_completed,
    ev_created,
    ev_custom_tool_call,
    ev_custom_tool_input_delta,
    ev_error,
    ev_failed,
    ev_function_arguments_delta,
    ev_function_arguments_done,
    ev_function_call,
    ev_in_progress,
    ev_incomplete,
    ev_item_added,
    ev_item_done,
    ev_rate_limits,
    ev_reasoning_summary_delta,
    ev_reasoning_summary_part_added,
    ev_reasoning_text_delta,
    ev_refusal_delta,
    ev_text_delta,
    message_item,
    reasoning_item,
    responses_usage,
    sse,
)


def test_sse_names_a_frame_by_its_type():
    assert sse([{"type": "ping", "n": 1}]) == b'event: ping\ndata: {"type":"ping","n":1}\n\n'


def test_sse_leaves_names_out_on_request_and_where_there_is_no_type():
    assert sse([{"type": "ping"}, {"n": 1}], names=False) == b'data: {"type":"ping"}\n\ndata: {"n":1}\n\n'
    assert sse([{"n": 1}]) == b'data: {"n":1}\n\n'


def test_sse_writes_text_as_raw_utf_8():
    assert sse([{"text": "grün 🌳"}]) == 'data: {"text":"grün 🌳"}\n\n'.encode()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_sse_uses_the_newline_given_and_a_framer_reads_it(newline: str):
    body = sse([{"type": "ping"}, "two\nlines"], newline=newline, done=True)
    assert (
        body
        == newline.join(
            ["event: ping", 'data: {"type":"ping"}', "", "data: two", "data: lines", "", "data: [DONE]", "", ""]
        ).encode()
    )
    # A CR at the very end may be half of a CRLF, so only a last byte tells that the block is over.
    frames = SseFramer().feed(body + b":")
    assert [(frame.event, frame.data) for frame in frames] == [
        ("ping", '{"type":"ping"}'),
        ("message", "two\nlines"),
        ("message", "[DONE]"),
    ]


def test_sse_puts_bytes_in_as_they_are():
    assert sse([b": comment\n\n", "x"]) == b": comment\n\ndata: x\n\n"


def test_the_handshake_tells_id_and_model_and_takes_fields_into_the_response():
    created = ev_created("resp_9", "gpt-9", service_tier="flex")
    assert created["type"] == "response.created"
    response = created["response"]
    assert (response["id"], response["model"], response["service_tier"]) == ("resp_9", "gpt-9", "flex")
    assert (response["object"], response["status"], response["output"]) == ("response", "in_progress", [])
    assert ev_in_progress("resp_9", "gpt-9", service_tier="flex") == {**created, "type": "response.in_progress"}


@pytest.mark.parametrize(
    "event, expected",
    [
        (
            ev_item_added({"type": "x"}, 3, sequence_number=7),
            {"type": "response.output_item.added", "output_index": 3, "item": {"type": "x"}, "sequence_number": 7},
        ),
        (
            ev_item_done({"type": "x"}),
            {"type": "response.output_item.done", "output_index": 0, "item": {"type": "x"}},
        ),
        (
            ev_text_delta("a", 1, content_index=2, item_id="m", obfuscation="zz"),
            {
                "type": "response.output_text.delta",
                "item_id": "m",
                "output_index": 1,
                "content_index": 2,
                "delta": "a",
                "logprobs": [],
                "obfuscation": "zz",
            },
        ),
        (
            ev_refusal_delta("no"),
            {
                "type": "response.refusal.delta",
                "item_id": "msg_1",
                "output_index": 0,
                "content_index": 0,
                "delta": "no",
            },
        ),
        (
            ev_reasoning_summary_part_added(1, 2),
            {
                "type": "response.reasoning_summary_part.added",
                "item_id": "rs_1",
                "output_index": 2,
                "summary_index": 1,
                "part": {"type": "summary_text", "text": ""},
            },
        ),
        (
            ev_reasoning_summary_delta("s", 1, 2),
            {
                "type": "response.reasoning_summary_text.delta",
                "item_id": "rs_1",
                "output_index": 2,
                "summary_index": 1,
                "delta": "s",
            },
        ),
        (
            ev_reasoning_text_delta("r", 1, 2),
            {
                "type": "response.reasoning_text.delta",
                "item_id": "rs_1",
                "output_index": 2,
                "content_index": 1,
                "delta": "r",
            },
        ),
        (
            ev_function_arguments_delta("{", 1),
            {
                "type": "response.function_call_arguments.delta",
                "item_id": "fc_call_1",
                "output_index": 1,
                "delta": "{",
            },
        ),
        (
            ev_function_arguments_done("{}", 1),
            {
                "type": "response.function_call_arguments.done",
                "item_id": "fc_call_1",
                "output_index": 1,
                "arguments": "{}",
            },
        ),
        (
            ev_custom_tool_input_delta("ls", 1),
            {
                "type": "response.custom_tool_call_input.delta",
                "item_id": "ctc_call_1",
                "output_index": 1,
                "delta": "ls",
            },
        ),
        (
            ev_function_call("call_7", "add", {"a": 1}, 4, status="incomplete"),
            {
                "type": "response.output_item.done",
                "output_index": 4,
                "item": {
                    "id": "fc_call_7",
                    "type": "function_call",
                    "status": "incomplete",
                    "arguments": '{"a":1}',
                    "call_id": "call_7",
                    "name": "add",
                },
            },
        ),
        (
            ev_custom_tool_call("call_7", "shell", "ls -l", 4),
            {
                "type": "response.output_item.done",
                "output_index": 4,
                "item": custom_tool_call_item("call_7", "shell", "ls -l"),
            },
        ),
    ],
    ids=[
        "item added",
        "item done",
        "text delta",
        "refusal delta",
        "summary part",
        "summary delta",
        "reasoning delta",
        "arguments delta",
        "arguments done",
        "custom input delta",
        "function call",
        "custom call",
    ],
)
def test_an_event_has_the_shape_of_the_api(event: dict[str, object], expected: dict[str, object]):
    assert event == expected


def test_arguments_that_are_text_stay_as_the_model_wrote_them():
    assert ev_function_call("c", "f", '{"a": ')["item"]["arguments"] == '{"a": '


def test_completed_carries_usage_output_and_whatever_more():
    usage = TokenUsage(
        input_tokens=5, cached_input_tokens=1, output_tokens=3, reasoning_output_tokens=2, total_tokens=8
    )
    response = ev_completed("resp_2", usage, output=[message_item("Hi")], end_turn=False)["response"]
    assert (response["id"], response["status"], response["end_turn"]) == ("resp_2", "completed", False)
    assert response["output"] == [message_item("Hi")]
    assert response["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 8,
    }


def test_a_usage_may_be_absent_or_given_in_wire_form():
    assert ev_completed(usage=None)["response"]["usage"] is None
    assert responses_usage({"input_tokens": 1}) == {"input_tokens": 1}


def test_failed_names_the_code_or_leaves_the_error_out():
    response = ev_failed("server_error", "boom")["response"]
    assert (response["status"], response["error"]) == ("failed", {"code": "server_error", "message": "boom"})
    assert ev_failed(None)["response"]["error"] is None
    assert ev_failed("x", error={"code": "y", "headers": {}})["response"]["error"] == {"code": "y", "headers": {}}


def test_incomplete_gives_its_reason_if_there_is_one():
    response = ev_incomplete("content_filter", output=[message_item("Hal")])["response"]
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert response["output"] == [message_item("Hal")]
    assert ev_incomplete(None)["response"]["incomplete_details"] is None


def test_an_error_event_is_nested_as_sent_or_flat_as_documented():
    error = {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow", "param": None}
    assert ev_error("rate_limit_exceeded", "slow", type="tokens") == {"type": "error", "error": error}
    assert ev_error("rate_limit_exceeded", "slow", nested=False) == {**error, "type": "error"}


@pytest.mark.parametrize("used, reached", [(42.0, False), (100.0, True)])
def test_rate_limits_say_whether_the_limit_is_reached(used: float, reached: bool):
    second = {"used_percent": 1, "window_minutes": 10080, "reset_at": 5}
    event = ev_rate_limits(used, reset_at=9, secondary=second, promo="p")
    assert event["rate_limits"] == {
        "allowed": not reached,
        "limit_reached": reached,
        "primary": {"used_percent": used, "window_minutes": 300, "reset_at": 9},
        "secondary": second,
    }
    assert (event["type"], event["plan_type"], event["promo"]) == ("codex.rate_limits", "pro", "p")


def test_items_hold_only_the_parts_they_were_given():
    assert message_item(refusal="no")["content"] == [{"type": "refusal", "refusal": "no"}]
    assert message_item()["content"] == []
    assert reasoning_item(["a"], text="b", encrypted_content="gAAA") == {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "a"}],
        "content": [{"type": "reasoning_text", "text": "b"}],
        "encrypted_content": "gAAA",
    }
    assert reasoning_item() == {"id": "rs_1", "type": "reasoning", "summary": []}
