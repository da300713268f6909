"""A request's body, within bounds of size and time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from codex_client.api import Clock
from codex_client.gateway.refusals import Refusal

# A body has so long, and longer by what has come of it at this rate: Apache's mod_reqtimeout bounds it alike. Phones
# with a poor connection send some 100 kB/s; at a bit more than half of that 32 MiB hold their place for ten minutes.
_PATIENCE_SECONDS = 30.0
_MIN_BYTES_PER_SECOND = 60_000.0


async def read_json(request: Request, *, max_bytes: int, clock: Clock) -> Mapping[str, Any]:
    """The request's body, a JSON object. Raises `Refusal`, and `ClientDisconnect` where it breaks off."""
    headers = request.headers
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "the body must be JSON, sent with content-type: application/json")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "compressed bodies are not taken; send it plain")
    try:
        value = from_json(await _read_body(request, max_bytes, clock), allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        # Such as "expected value at line 1 column 2": places, no content.
        raise Refusal(400, f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refusal(400, "the body is no JSON object")
    return cast("dict[str, Any]", value)


async def _read_body(request: Request, max_bytes: int, clock: Clock) -> bytes:
    too_large = Refusal(413, f"the body is larger than {max_bytes} bytes, which is all the gateway takes")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    body, began_at = bytearray(), clock.monotonic()
    more = True
    while more:
        patience = _PATIENCE_SECONDS + len(body) / _MIN_BYTES_PER_SECOND - (clock.monotonic() - began_at)
        with clock.move_on_after(patience) as scope:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope.cancelled_caught:
            too_slow = "the body did not come in time; send it without a pause"
            # The rest, should it ever come, would be waited for.
            raise Refusal(408, too_slow, headers={"connection": "close"})
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)
