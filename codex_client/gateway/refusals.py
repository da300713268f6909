"""What the gateway itself refuses, and every failure as an answer in OpenAI's form."""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from codex_client.bridge.errors import error_answer
from codex_client.errors import (
    CodexError,
    InvalidPayloadError,
    InvalidRequest,
    ModelNotFound,
    UnsupportedOperationError,
)
from codex_client.gateway.record import record_of
from codex_client.gateway.routes import TURN_ROUTES, path_of

_SERVED = "POST /v1/chat/completions, POST /v1/responses, GET /v1/models, /health, /metrics, /status.json and /"

CLIENT_LEFT = 499
"""The status that nginx's users know for a caller who did not wait; it is only counted and logged."""
CALLERS_OWN = (InvalidPayloadError, UnsupportedOperationError, InvalidRequest, ModelNotFound)
"""Faults of a request, found here or by the provider: nothing that whoever runs the gateway has to mend."""


class Refusal(HTTPException):
    """A request that goes no further. `retry_after` in seconds, told rounded up."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        headers = dict(headers or {})
        if retry_after is not None:
            headers["retry-after"] = str(max(1, math.ceil(retry_after)))
        super().__init__(status, message, headers)
        self.code = code


def refused(status: int, message: str, *, code: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that the gateway itself refuses."""
    if status == 429:
        kind = "rate_limit_error"
    elif status == 401:
        kind = "authentication_error"
    else:
        kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status, headers)


def failed(error: CodexError, *, now: float, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a turn that failed before it said anything."""
    answer = error_answer(error, now=now)
    return JSONResponse(answer.body, answer.status, {**answer.headers, **(headers or {})})


async def answer_refusal(request: Request, error: Exception) -> Response:
    """Starlette's handler for its own exceptions, which are those of the router, and ours."""
    assert isinstance(error, HTTPException)
    headers = error.headers or {}
    if isinstance(error, Refusal):
        message, code = error.detail, error.code
    elif error.status_code == 405:
        message, code = f"this route takes {headers.get('Allow', 'other methods')} only", "method_not_allowed"
    else:
        there = f"/v1{path_of(request.scope)}" in TURN_ROUTES
        hint = "the base URL ends with /v1" if there else f"the gateway serves {_SERVED}"
        message, code = f"there is no such route; {hint}", "not_found"
    return refused(error.status_code, message, code=code, headers=headers)


async def answer_failure(request: Request, error: Exception) -> Response:
    """Starlette's handler for this library's errors."""
    assert isinstance(error, CodexError)
    record = record_of(request.scope)
    record.error = error
    return failed(error, now=record.clock.time())
