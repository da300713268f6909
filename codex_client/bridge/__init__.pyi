"""The public names, for type checkers; `__init__.py` loads them when they are first used."""

from codex_client.bridge.chat_chunks import (
    ChatChunks as ChatChunks,
)
from codex_client.bridge.completion import (
    chat_completion as chat_completion,
)
from codex_client.bridge.errors import (
    ErrorAnswer as ErrorAnswer,
    error_answer as error_answer,
)
from codex_client.bridge.reasoning import (
    ReasoningFormat as ReasoningFormat,
)
from codex_client.bridge.requests import (
    BridgedRequest as BridgedRequest,
    parse_chat_request as parse_chat_request,
    parse_responses_request as parse_responses_request,
)
from codex_client.bridge.response import (
    response_object as response_object,
)
from codex_client.bridge.responses_events import (
    ResponsesEvents as ResponsesEvents,
)
