"""One small request, one small answer, read whole: what logins, refreshes and quota look-ups need of HTTP."""

from __future__ import annotations

import json as json_text
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urlencode

import httpx

from codex_client.api import Clock, HttpClient, Lease, SystemClock
from codex_client.client.answer import HttpAnswer
from codex_client.client.config import Timeouts, Transport
from codex_client.client.connections import RequestBody, new_http_client
from codex_client.client.content_encoding import ACCEPTED
from codex_client.client.http_errors import transport_error
from codex_client.client.request_headers import blank_secrets, user_agent
from codex_client.errors import CodexError, ConfigurationError, ProtocolError, ReadError
from codex_client.masking import safe_url
from codex_client.retry_advice import lower_names

_MIB = 1024 * 1024
# Fields and headers whose values a server may not be quoted with. A grant's type and a hint are words, no secrets.
_SECRET_NAME = re.compile(r"(?:auth|code|cookie|key|secret|token|verifier)(?!.*(?:hint|type)$)", re.IGNORECASE)
_MIN_SECRET_CHARS = 8


@dataclass(frozen=True, slots=True)
class ExchangeAnswer:
    """An answer, whatever its status. `headers` have lower-case names; `body` has its content-encoding undone.

    Its repr shows the status only: answers hold tokens.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty for whatever is none."""
        try:
            value = json_text.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

    def clean(self, text: str) -> str:
        """A text of the answer's without the secrets of its request, which servers like to quote."""
        return blank_secrets(text, list(self.secrets))


class Exchange:
    """Sends small requests. Any number of tasks may use it at once, in more than one event loop.

    Owns its connections, or borrows `http_client` and never closes that. Follows no redirect and tries nothing again:
    both are for the caller to decide. An answer longer than `max_body_bytes` is a `ProtocolError`. `setting`: what says
    where the server is, for the errors.
    """

    def __init__(
        self,
        *,
        http_client: HttpClient | None = None,
        transport: Transport = "httpx",
        timeouts: Timeouts | None = None,
        clock: Clock | None = None,
        max_body_bytes: int = _MIB,
        setting: str = "the base_url",
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._clock = clock or SystemClock()
        self._max_body_bytes = max_body_bytes
        self._setting = setting
        self._own_client: httpx.AsyncClient | None = None
        if http_client is not None:
            self._client: HttpClient = http_client
        else:
            self._client = self._own_client = new_http_client(self._clock, transport)
        self._buried: list[HttpAnswer] = []

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        timeout: float = 30.0,  # noqa: ASYNC109 (by the clock, and into an error that says what was asked)
    ) -> ExchangeAnswer:
        """The answer to one request, with `form` or `json` as its body.

        Raises a `TransportError` where none came whole within `timeout` seconds in all, `ConfigurationError` for what
        HTTP cannot carry. Neither shows anything of the request or the answer, nor do the frames and causes behind it.
        """
        message = _Message(method, url, headers or {}, form, json)
        # A traceback with locals shows what is bound here.
        del url, headers, form, json
        failure: CodexError
        try:
            with self._clock.move_on_after(timeout):
                return await self._deliver(message)
            failure = ReadError(
                f"no answer from {message.safe_url} within {timeout} s; check the network and the provider's status",
                url=message.safe_url,
            )
        except CodexError as error:
            failure = error
        # Bare, because the frames and causes below hold the request and parts of the answer.
        failure.__cause__ = failure.__context__ = None
        raise failure.with_traceback(None)

    async def aclose(self) -> None:
        """Close the connections if they are owned. Safe to call twice."""
        await self._finish_buried()
        if self._own_client is not None:
            await self._own_client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()

    def release(self, answer: HttpAnswer) -> None:
        """An answer tells that it is closed."""

    def bury(self, answer: HttpAnswer) -> None:
        """An answer tells that its closing was broken off; the next request closes it."""
        self._buried.append(answer)

    async def _deliver(self, message: _Message) -> ExchangeAnswer:
        await self._finish_buried()
        answer = await self._open(message)
        try:
            body = await self._read(answer)
            return ExchangeAnswer(answer.status_code, lower_names(answer.headers), body, tuple(answer.secrets))
        finally:
            await answer.aclose()

    async def _open(self, message: _Message) -> HttpAnswer:
        outer, sent = sys.exception(), False
        translate = partial(transport_error, url=message.safe_url, timeouts=self._timeouts, setting=self._setting)
        try:
            request = self._build_request(message)
            sent = True
            response = await self._client.send(request, stream=True, follow_redirects=False)
        except Exception as error:
            failure = translate(error, outer=outer, sent=sent)
            if failure is None:
                raise
            raise failure from None
        return HttpAnswer(
            response,
            url=message.safe_url,
            lease=Lease(),
            secrets=message.secrets(),
            started_at=self._clock.monotonic(),
            clock=self._clock,
            owner=self,
            translate=translate,
        )

    def _build_request(self, message: _Message) -> Any:
        limits, body = self._timeouts, message.content()
        request = self._client.build_request(
            message.method,
            message.url,
            headers=message.header_list(),
            content=body,
            timeout=(limits.connect, None, limits.write, limits.pool),
            extensions={},
        )
        if isinstance(request, httpx.Request):
            request.stream = RequestBody(body)
        return request

    async def _read(self, answer: HttpAnswer) -> bytes:
        body = bytearray()
        while chunk := await answer.read_chunk():
            body += chunk
            if len(body) > self._max_body_bytes:
                raise ProtocolError(
                    f"the answer of {answer.url} is longer than {self._max_body_bytes} bytes; "
                    "check the address and any proxy in between",
                    url=answer.url,
                )
        return bytes(body)

    async def _finish_buried(self) -> None:
        while self._buried:
            await self._buried.pop().finish()


@dataclass(frozen=True, slots=True)
class _Message:
    """A request, and what becomes bytes of it where no traceback shows them."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] | None = field(repr=False)
    json: Any = field(repr=False)

    @property
    def safe_url(self) -> str:
        return safe_url(self.url)

    def header_list(self) -> list[tuple[bytes, bytes]]:
        headers = {"accept": "application/json", "accept-encoding": ACCEPTED, "user-agent": user_agent()}
        if self.form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        elif self.json is not None:
            headers["content-type"] = "application/json"
        headers |= lower_names(self.headers)
        return [(name.encode(), _checked(name, value).encode("latin-1")) for name, value in headers.items()]

    def content(self) -> bytes:
        if self.form is not None:
            return urlencode(self.form).encode()
        return b"" if self.json is None else json_text.dumps(self.json).encode()

    def secrets(self) -> list[str]:
        """What of it must not be told, longest first, also as JSON and URLs write it."""
        body: object = self.json
        fields = cast("dict[str, Any]", body) if isinstance(body, dict) else self.form or {}
        named = (str(value) for name, value in [*self.headers.items(), *fields.items()] if _SECRET_NAME.search(name))
        # A server that echoes "Bearer abc" leaves the scheme out.
        values = {part for value in named for part in (value, value.rpartition(" ")[2])}
        values |= {value.replace("/", r"\/") for value in values} | {quote(value, safe="") for value in values}
        return sorted(
            (value for value in values if len(value) >= _MIN_SECRET_CHARS), key=lambda value: (-len(value), value)
        )


def _checked(name: str, value: str) -> str:
    # What the HTTP library raises for such a value quotes it.
    if any(ord(char) > 0xFF or char in "\r\n\0" for char in value):
        raise ConfigurationError(
            f"the value of header {name!r} has a line break or a character outside Latin-1; no header can carry that"
        )
    return value
