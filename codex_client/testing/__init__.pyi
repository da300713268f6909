"""The public names, for type checkers; `__init__.py` loads them when they are first used."""

from codex_client.testing.account_server import (
    AccountServer as AccountServer,
)
from codex_client.testing.accounts import (
    ServerAccount as ServerAccount,
)
from codex_client.testing.builders import (
    custom_tool_call_item as custom_tool_call_item,
    ev_completed as ev_completed,
    ev_created as ev_created,
    ev_custom_tool_call as ev_custom_tool_call,
    ev_custom_tool_input_delta as ev_custom_tool_input_delta,
    ev_error as ev_error,
    ev_failed as ev_failed,
    ev_function_arguments_delta as ev_function_arguments_delta,
    ev_function_arguments_done as ev_function_arguments_done,
    ev_function_call as ev_function_call,
    ev_in_progress as ev_in_progress,
    ev_incomplete as ev_incomplete,
    ev_item_added as ev_item_added,
    ev_item_done as ev_item_done,
    ev_rate_limits as ev_rate_limits,
    ev_reasoning_summary_delta as ev_reasoning_summary_delta,
    ev_reasoning_summary_part_added as ev_reasoning_summary_part_added,
    ev_reasoning_text_delta as ev_reasoning_text_delta,
    ev_refusal_delta as ev_refusal_delta,
    ev_text_delta as ev_text_delta,
    function_call_item as function_call_item,
    message_item as message_item,
    reasoning_item as reasoning_item,
    responses_usage as responses_usage,
    sse as sse,
)
from codex_client.testing.chat_builders import (
    CHAT_DONE as CHAT_DONE,
    chat_chunk as chat_chunk,
    chat_tool_call as chat_tool_call,
    chat_turn as chat_turn,
    chat_usage as chat_usage,
)
from codex_client.testing.checks import (
    check_api_client as check_api_client,
    check_decoder as check_decoder,
    check_events as check_events,
)
from codex_client.testing.clock import (
    ManualClock as ManualClock,
)
from codex_client.testing.flaky import (
    Fault as Fault,
    FlakyTransport as FlakyTransport,
)
from codex_client.testing.network_guard import (
    RealRequestError as RealRequestError,
    no_real_requests as no_real_requests,
)
from codex_client.testing.observed import (
    Exchange as Exchange,
    RecordingTransport as RecordingTransport,
)
from codex_client.testing.recorder import (
    Recorder as Recorder,
)
from codex_client.testing.recording import (
    RecordedChunk as RecordedChunk,
    Recording as Recording,
    load_recording as load_recording,
)
from codex_client.testing.refusals import (
    AccountRefusal as AccountRefusal,
    blocked_page as blocked_page,
)
from codex_client.testing.replay_server import (
    ReplayServer as ReplayServer,
)
from codex_client.testing.request_checker import (
    RequestProblem as RequestProblem,
    check_chat_request as check_chat_request,
    check_responses_request as check_responses_request,
)
from codex_client.testing.requests import (
    RecordedRequest as RecordedRequest,
)
from codex_client.testing.scripts import (
    Close as Close,
    CommentFlood as CommentFlood,
    Hold as Hold,
    Pause as Pause,
    Reply as Reply,
    ReplyLike as ReplyLike,
    Reset as Reset,
    Send as Send,
    Stall as Stall,
    Step as Step,
)
from codex_client.testing.scrubber import (
    Scrubber as Scrubber,
)
from codex_client.testing.transports import (
    ScriptedTransport as ScriptedTransport,
)
from codex_client.testing.turns import (
    responses_turn as responses_turn,
)
