"""The outermost layer: every request is counted and logged once, whatever becomes of it.

A line of the log holds no prompt, no answer and no words of an error: those are content.
"""

from __future__ import annotations

import logging
import re
import traceback

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codex_client.api import Clock
from codex_client.gateway.activity import Activity
from codex_client.gateway.metrics import GatewayMetrics
from codex_client.gateway.record import RequestRecord, start_record
from codex_client.gateway.refusals import CALLERS_OWN, CLIENT_LEFT, refused
from codex_client.gateway.routes import route_of

_log = logging.getLogger("codex_client.gateway")

# Those of RFC 9110, 9.3, and PATCH (RFC 5789): callers make up others.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"})
# A model's name is the caller's text.
_NAME = re.compile(r"[\w.:/@-]{1,80}", re.ASCII)


class RequestWatch:
    """ASGI middleware that ends what the app raises: a server would log it with its words."""

    def __init__(self, app: ASGIApp, activity: Activity, metrics: GatewayMetrics, clock: Clock) -> None:
        self._app = app
        self._activity = activity
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = start_record(scope, route_of(scope), self._clock)

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = record.status or message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            # While its body was read.
            record.status = CLIENT_LEFT
        except Exception as error:  # noqa: BLE001
            _log.error("%s failed by a fault of the gateway:\n%s", record.route, _where(error))
            if record.status is None:
                broken = refused(500, "the gateway failed; its log says where", code="internal_error")
                await broken(scope, receive, watched_send)
        finally:
            record.status = record.status or CLIENT_LEFT
            self._tell(scope["method"], record)

    def _tell(self, method: str, record: RequestRecord) -> None:
        self._metrics.count(record)
        failure = record.failure
        if failure is not None and not isinstance(failure, CALLERS_OWN):
            self._activity.note(record.route, failure)
        _log.info("%s", _line(method, record))


def _line(method: str, record: RequestRecord) -> str:
    facts = [f"{method if method in _METHODS else '?'} {record.route} {record.status} {record.seconds:.3f}s"]
    if record.model is not None:
        facts.append(f"model={record.model if _NAME.fullmatch(record.model) else '?'}")
    if record.token_usage is not None:
        usage = record.token_usage
        facts.append(f"tokens={usage.input_tokens}+{usage.output_tokens} cached={usage.cached_input_tokens}")
    if record.ignored is not None:
        facts.append(f"ignored={record.ignored.replace(' ', '')}")
    if (error := record.failure) is not None:
        facts.append(f"error={type(error).__name__}")
    return " ".join(facts)


def _where(error: BaseException) -> str:
    """The error's class and the lines of code it came through, without its words: they may quote a prompt."""
    return "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__
