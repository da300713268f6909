"""Records what a real server sends, without its secrets."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from codex_client.api import Clock, SystemClock
from codex_client.client.compression import ENCODING, decompressed
from codex_client.errors import MissingExtraError
from codex_client.testing.observed import ObservedStream, stream_of, with_stream
from codex_client.testing.recording import End, RecordedChunk, Recording
from codex_client.testing.scrubber import Scrubber

# zlib's number for "gzip or deflate, look yourself", with the largest window.
_ANY_WRAPPER = 47

_PLAIN = {"", "identity"}
_COMPRESSED = {"gzip", "x-gzip", "deflate"}


class Recorder(httpx.AsyncBaseTransport):
    """A transport that writes one recording per response into `folder`: `0001-responses.jsonl`, and its body as
    `0001-responses.sse`.

    `httpx.AsyncClient(transport=Recorder("recordings"))`; requests go on to `inner` (default: the network), asking for
    no compression. Nothing is written before `scrubber` has seen the whole response, which is held in memory up to
    `max_body_bytes` until it is closed. Chunks keep their borders and lengths. Existing files are never overwritten.
    `load_recording` reads them back.
    """

    recordings: list[Path]
    """The files written so far, without their `.sse`."""

    def __init__(
        self,
        folder: str | Path,
        inner: httpx.AsyncBaseTransport | None = None,
        *,
        scrubber: Scrubber | None = None,
        clock: Clock | None = None,
        max_body_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self.recordings = []
        self._folder = Path(folder)
        self._inner = inner or httpx.AsyncHTTPTransport()
        self._scrubber = scrubber or Scrubber()
        self._clock = clock or SystemClock()
        self._max_body_bytes = max_body_bytes
        self._next_number = 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        outgoing = httpx.Request(
            request.method, request.url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        # In compressed bytes no secret could be blanked without changing the chunks.
        outgoing.headers["accept-encoding"] = "identity"
        started = self._clock.monotonic()
        response = await self._inner.handle_async_request(outgoing)
        body = self._body_of(response)
        stream = _RecordedStream(
            stream_of(response),
            on_chunk=lambda chunk: body.add(self._clock.monotonic() - started, chunk),
            on_close=lambda end: self._save(request, response, body, end),
        )
        return with_stream(response, stream)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _save(self, request: httpx.Request, response: httpx.Response, body: _Body, end: End) -> None:
        """Scrub one exchange and write it."""
        scrubber = self._scrubber
        request_headers, headers = request.headers.multi_items(), response.headers.multi_items()
        known = scrubber.secrets_of([*request_headers, *headers])
        sent = self._sent(request)
        recording = Recording(
            method=request.method,
            url=scrubber.scrub_text(str(request.url.copy_with(userinfo=b"")), known),
            status=response.status_code,
            request_headers=tuple(scrubber.scrub_headers(request_headers, known)),
            request_body=b"".join(chunk.content for chunk in sent.scrubbed(scrubber, known)),
            headers=tuple(scrubber.scrub_headers(headers, known)),
            chunks=tuple(body.scrubbed(scrubber, known)),
            end=body.end(end),
        )
        self._write(recording)

    def _sent(self, request: httpx.Request) -> _Body:
        if request.headers.get("content-encoding") != ENCODING:
            body, content = self._body_of(request), request.content
        else:
            body, content = _Body("", self._max_body_bytes), b""
            # What cannot be read cannot be scrubbed either, and is left out.
            with suppress(ValueError, MissingExtraError):
                content = decompressed(request.content)
        body.add(0.0, content)
        return body

    def _body_of(self, message: httpx.Request | httpx.Response) -> _Body:
        return _Body(message.headers.get("content-encoding", "").strip().lower(), self._max_body_bytes)

    def _write(self, recording: Recording) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = self._folder / f"{self._next_number:04d}-{_name(recording)}.jsonl"
            self._next_number += 1
            try:
                recording.save(path)
            except FileExistsError:
                continue
            self.recordings.append(path)
            return


def _name(recording: Recording) -> str:
    """The last part of the URL's path, as part of a file name."""
    last = urlsplit(recording.url).path.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-") or "root"


class _RecordedStream(ObservedStream):
    def __init__(
        self, inner: httpx.AsyncByteStream, *, on_chunk: Callable[[bytes], None], on_close: Callable[[End], None]
    ) -> None:
        super().__init__(inner)
        self._on_chunk = on_chunk
        self._on_close = on_close
        self._end: End = "left"
        self._closed = False

    async def __anext__(self) -> bytes:
        try:
            chunk = await super().__anext__()
        except StopAsyncIteration:
            self._end = "complete"
            raise
        except httpx.RemoteProtocolError:
            self._end = "cut"
            raise
        except httpx.TransportError:
            self._end = "broken"
            raise
        self._on_chunk(chunk)
        return chunk

    async def aclose(self) -> None:
        try:
            await super().aclose()
        finally:
            if not self._closed:
                self._closed = True
                self._on_close(self._end)


class _Body:
    """A body's chunks without compression, up to a limit."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self.chunks: list[RecordedChunk] = []
        self._inflater = None if encoding in _PLAIN else zlib.decompressobj(_ANY_WRAPPER)
        self._readable = encoding in _PLAIN or encoding in _COMPRESSED
        self._left = max_bytes
        self._capped = False

    def add(self, at: float, content: bytes) -> None:
        if not self._readable:
            return
        try:
            clear = content if self._inflater is None else self._inflater.decompress(content, self._left + 1)
        except zlib.error:
            self._readable = False
            self.chunks.clear()
            return
        self._capped = self._capped or len(clear) > self._left
        clear = clear[: self._left]
        self._left -= len(clear)
        if clear:
            self.chunks.append(RecordedChunk(at, clear))

    def end(self, end: End) -> End:
        """How the recording ends, if this is how the body did."""
        if not self._readable:
            return "unreadable"
        return "capped" if self._capped else end

    def scrubbed(self, scrubber: Scrubber, known: Iterable[str]) -> list[RecordedChunk]:
        """The chunks, blanked as one text: a secret may lie across their borders."""
        content = scrubber.scrub_bytes(b"".join(chunk.content for chunk in self.chunks), known)
        ends = list(accumulate(len(chunk.content) for chunk in self.chunks))
        return [
            RecordedChunk(chunk.at, content[end - len(chunk.content) : end])
            for chunk, end in zip(self.chunks, ends, strict=True)
        ]
