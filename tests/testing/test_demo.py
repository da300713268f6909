"""The demo shows a whole tool turn over both APIs, and asks the real one only with a key."""

from __future__ import annotations

import pytest

from codex_client.aggregate import ToolCall
from codex_client.testing import ReplayServer, chat_turn, demo, responses_turn, sse


def test_the_demo_streams_a_tool_turn_over_both_apis(capsys: pytest.CaptureFixture[str]) -> None:
    demo.main(["--pause", "0"])
    shown = capsys.readouterr().out
    for api in ("responses: http://127.0.0.1:", "chat: http://127.0.0.1:"):
        assert api in shown
    for seen in (
        "rate_limits                    codex: 12 % of 300 min, 40 % of 10080 min",
        "reasoning_summary_delta        'The'",
        "reasoning_content_delta        'The'",
        "output_text_delta              'Let'",
        'output_item_done               function_call {"city":"Zurich","unit":"celsius"}',
        "our tool answers call_1: Zurich: light rain, 11 degrees celsius",
        "completed                      resp_2: 42 tokens in (16 cached), 23 out (8 reasoning)",
    ):
        assert seen in shown
    assert shown.count("answer: Yes: light rain and 11 °C in Zurich. Take the umbrella.") == 2


def test_the_real_api_is_asked_only_with_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        demo.main(["--live"])
    assert "--live needs OPENAI_API_KEY" in capsys.readouterr().err


async def test_live_goes_round_the_same_loop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ToolCall("call_1", "get_weather", '{"city":"Bern"}')
    script = {
        "/responses": [sse(responses_turn(tool_calls=[call])), sse(responses_turn("Yes.", usage=None))],
        "/chat/completions": [sse(chat_turn(tool_calls=[call]), done=True), sse(chat_turn("No."), done=True)],
    }
    async with ReplayServer(script, strict=True) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
        await demo.live("gpt-5-mini")
        server.assert_complete()
    shown = capsys.readouterr().out
    assert "answer: Yes." in shown
    assert "answer: No." in shown
    assert "canary" not in shown
