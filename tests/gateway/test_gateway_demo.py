"""The gateway's demo shows a turn and whose it was."""

from __future__ import annotations

import pytest

from tests.support import gateway_demo


def test_the_demo_streams_a_turn_through_the_gateway_and_shows_the_accounts(capsys: pytest.CaptureFixture[str]):
    gateway_demo.main()
    shown = capsys.readouterr().out
    assert shown.startswith("gateway http://127.0.0.1:")
    assert '"object":"chat.completion.chunk"' in shown.replace(" ", "")
    assert "  data: [DONE]" in shown
    assert shown.count("\naccount ") == 2
