"""Testing without a provider: builders of events and streams, servers and transports that play them, a recorder, a
clock.

Everything runs on asyncio and trio, over loopback or inside the process, and takes its time from a `Clock`. Names are
loaded when they are first used; nothing of this is imported by the library itself.
"""

from importlib import import_module
from typing import Any

# Module to its public names. `__init__.pyi` says the same to type checkers.
_MODULES = {
    "account_server": "AccountServer",
    "accounts": "ServerAccount",
    "builders": """
        custom_tool_call_item ev_completed ev_created ev_custom_tool_call ev_custom_tool_input_delta ev_error ev_failed
        ev_function_arguments_delta ev_function_arguments_done ev_function_call ev_in_progress ev_incomplete
        ev_item_added ev_item_done ev_rate_limits ev_reasoning_summary_delta ev_reasoning_summary_part_added
        ev_reasoning_text_delta ev_refusal_delta ev_text_delta function_call_item message_item reasoning_item
        responses_usage sse
    """,
    "chat_builders": "CHAT_DONE chat_chunk chat_tool_call chat_turn chat_usage",
    "checks": "check_api_client check_decoder check_events",
    "clock": "ManualClock",
    "flaky": "Fault FlakyTransport",
    "network_guard": "RealRequestError no_real_requests",
    "observed": "Exchange RecordingTransport",
    "recorder": "Recorder",
    "recording": "RecordedChunk Recording load_recording",
    "refusals": "AccountRefusal blocked_page",
    "replay_server": "ReplayServer",
    "request_checker": "RequestProblem check_chat_request check_responses_request",
    "requests": "RecordedRequest",
    "scripts": "Close CommentFlood Hold Pause Reply ReplyLike Reset Send Stall Step",
    "scrubber": "Scrubber",
    "transports": "ScriptedTransport",
    "turns": "responses_turn",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
