"""Recordings on disk: true to the wire, without secrets, playable."""

from __future__ import annotations

import base64
import gzip
import json
import os
import stat
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest

from codex_client.client.compression import compressed
from codex_client.testing import (
    Close,
    Fault,
    FlakyTransport,
    Hold,
    ManualClock,
    Pause,
    RecordedChunk,
    Recorder,
    Recording,
    ReplayServer,
    Reply,
    Reset,
    ScriptedTransport,
    Scrubber,
    Send,
    load_recording,
    responses_turn,
    sse,
)

BODY = sse(responses_turn("Hello."))
URL = "http://api.test/v1/responses"


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def on_disk(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in files_in(folder))


@pytest.mark.parametrize("is_zstd", [True, False])
async def test_a_request_in_zstd_is_recorded_in_the_clear_or_not_at_all(tmp_path: Path, is_zstd: bool):
    sent = b'{"input": "Hi"}'
    recorder = Recorder(tmp_path, ScriptedTransport(200))
    async with httpx.AsyncClient(transport=recorder) as client:
        content = compressed(sent) if is_zstd else b"no zstd"
        await client.post(URL, content=content, headers={"content-encoding": "zstd"})
    assert load_recording(recorder.recordings[0]).request_body == (sent if is_zstd else b"")


async def test_a_recording_holds_the_exchange_chunk_by_chunk(tmp_path: Path):
    clock = ManualClock(auto_advance=True)
    reply = Reply.from_events([{"n": 1}, {"n": 2}], headers={"x-request-id": "req_1"}, before_head=[Pause(2)])
    inner = ScriptedTransport(reply.at(len(sse([{"n": 1}])), Pause(0.5)), clock=clock)
    recorder = Recorder(tmp_path / "new" / "folder", inner, clock=clock)
    async with httpx.AsyncClient(transport=recorder) as client:
        await client.post(URL + "?a=1", json={"input": "Hi"}, headers={"x-thing": "v"})
    assert recorder.recordings == [tmp_path / "new" / "folder" / "0001-responses.jsonl"]
    recording = load_recording(recorder.recordings[0])
    assert (recording.method, recording.url, recording.status) == ("POST", URL + "?a=1", 200)
    assert json.loads(recording.request_body) == {"input": "Hi"}
    assert ("x-thing", "v") in recording.request_headers
    assert recording.headers == (("content-type", "text/event-stream; charset=utf-8"), ("x-request-id", "req_1"))
    assert recording.chunks == (RecordedChunk(2.0, sse([{"n": 1}])), RecordedChunk(2.5, sse([{"n": 2}])))
    assert recording.end == "complete"
    assert recorder.recordings[0].with_suffix(".sse").read_bytes() == recording.body == sse([{"n": 1}, {"n": 2}])


async def test_the_first_line_of_a_recording_can_be_read_by_people(tmp_path: Path):
    recorder = Recorder(tmp_path, ScriptedTransport(BODY))
    async with httpx.AsyncClient(transport=recorder) as client:
        await client.post(URL, content='{"input": "Grüße"}')
        await client.post(URL, content=b"\xff\xfe")
    first, second = [json.loads(path.read_text("utf-8").splitlines()[0]) for path in recorder.recordings]
    assert first["format"] == "codex_client.recording/1"
    assert first["request"]["body"] == '{"input": "Grüße"}'
    assert second["request"]["body_base64"] == base64.b64encode(b"\xff\xfe").decode()
    assert load_recording(recorder.recordings[1]).request_body == b"\xff\xfe"


TOKEN = "canaryTokenOfNoForm42"
KEY = "sk-canary0123456789abcdef"
MAIL = "canary@example.org"
ACCOUNT = "canary-account-1b9d6bcd"


def every_dress(secret: str) -> list[str]:
    return [
        secret,
        quote(f"x {secret}", safe=""),
        "".join(f"\\u{ord(char):04x}" for char in secret),
        base64.b64encode(f"user:{secret}".encode()).decode(),
        base64.urlsafe_b64encode(f"x:{secret}".encode()).decode(),
        base64.b64encode(base64.b64encode(f"user:{secret}".encode())).decode(),
    ]


@pytest.mark.parametrize("cut", [None, 1, 7, "random"])
async def test_no_secret_reaches_the_disk(tmp_path: Path, cut: Any):
    dressed = [dress for secret in (TOKEN, KEY, MAIL, ACCOUNT) for dress in every_dress(secret)]
    answer = sse([{"type": "error", "message": f"no such key {KEY}"}, *(f'{{"echo": "{dress}"}}' for dress in dressed)])
    reply = Reply.from_sse(answer, cut=cut, headers=[("set-cookie", f"a={TOKEN}"), ("x-echo", f"{MAIL} {TOKEN}")])
    recorder = Recorder(tmp_path, ScriptedTransport(reply))
    async with httpx.AsyncClient(transport=recorder) as client:
        response = await client.post(
            f"http://{ACCOUNT}:pw@api.test/v1/responses/{TOKEN}?api-key={KEY}&to={quote(MAIL)}",
            headers={
                "authorization": f"Bearer {TOKEN}",
                "api-key": KEY,
                "cookie": f"session={TOKEN}",
                "chatgpt-account-id": ACCOUNT,
                "openai-organization": "org-canary",
                "x-note": f"{MAIL} {KEY}",
            },
            content=json.dumps({"input": dressed, "email": "canary", "nested": json.dumps({"text": dressed})}),
        )
        assert response.content == answer
    recorded = on_disk(tmp_path)
    lines = [json.loads(line) for line in recorder.recordings[0].read_text().splitlines()]
    pieces = [base64.b64decode(line["chunk"]) for line in lines if "chunk" in line]
    for text in (recorded, recorder.recordings[0].name.encode(), b"".join(pieces)):
        assert b"canary" not in text.lower()
        for dress in dressed:
            assert dress.encode() not in text
    assert [len(piece) for piece in pieces] == [len(chunk) for chunk in cuts_of(reply)]


def cuts_of(reply: Reply) -> list[bytes]:
    from codex_client.testing.reply_encoding import BodyPieces

    return BodyPieces(reply).feed(reply.content)


async def test_a_user_in_the_url_is_left_out_however_short(tmp_path: Path):
    recorder = Recorder(tmp_path, ScriptedTransport(BODY))
    async with httpx.AsyncClient(transport=recorder) as client:
        await client.post(URL.replace("//", "//me:pw@"))
    assert load_recording(recorder.recordings[0]).url == URL


async def test_what_the_user_calls_secret_is_secret(tmp_path: Path):
    scrubber = Scrubber(extra_patterns=["Project Canary"], extra_headers=["x-canary"])
    recorder = Recorder(tmp_path, ScriptedTransport(b"data: Project Canary\n\n"), scrubber=scrubber)
    async with httpx.AsyncClient(transport=recorder) as client:
        await client.post(URL, headers={"x-canary": "the canary"}, content="Project Canary")
    assert b"canary" not in on_disk(tmp_path).lower().replace(b"x-canary", b"")


async def test_nothing_is_written_before_the_response_is_closed(tmp_path: Path):
    recorder = Recorder(tmp_path / "later", ScriptedTransport(BODY))
    async with httpx.AsyncClient(transport=recorder) as client:
        response = await client.send(client.build_request("POST", URL), stream=True)
        assert not (tmp_path / "later").exists()
        await response.aclose()
        assert isinstance(response.stream, httpx.AsyncByteStream)
        await response.stream.aclose()
        assert len(recorder.recordings) == 1
    assert load_recording(recorder.recordings[0]).end == "left"


async def test_files_are_their_owners_alone_and_never_overwritten(tmp_path: Path):
    (tmp_path / "0001-responses.jsonl").write_text("mine")
    (tmp_path / "0002-responses.sse").write_text("mine")
    old_mask = os.umask(0)
    try:
        recorder = Recorder(tmp_path, ScriptedTransport(BODY))
        async with httpx.AsyncClient(transport=recorder) as client:
            for path in ("/responses", "/v1/chat/completions/", "/"):
                await client.post("http://api.test" + path)
    finally:
        os.umask(old_mask)
    assert [path.name for path in recorder.recordings] == [
        "0003-responses.jsonl",
        "0004-completions.jsonl",
        "0005-root.jsonl",
    ]
    assert len(files_in(tmp_path)) == 8
    assert (tmp_path / "0001-responses.jsonl").read_text() == (tmp_path / "0002-responses.sse").read_text() == "mine"
    modes = {
        stat.S_IMODE(path.with_suffix(end).stat().st_mode) for path in recorder.recordings for end in (".sse", ".jsonl")
    }
    assert modes == {0o600}


async def test_no_compression_is_asked_for_and_none_is_left(tmp_path: Path, serve: Any):
    async with serve([BODY, Reply.from_sse(BODY, gzip=True, cut=5)]) as (server, _):
        recorder = Recorder(tmp_path)
        async with httpx.AsyncClient(transport=recorder) as client:
            for _ in range(2):
                request = client.build_request("POST", server.base_url + "/responses")
                assert (await client.send(request)).content == BODY
                assert request.headers["accept-encoding"] != "identity"
    assert [request.headers["accept-encoding"] for request in server.requests] == ["identity"] * 2
    for path in recorder.recordings:
        assert load_recording(path).body == BODY


@pytest.mark.parametrize(
    "encoding, body, recorded, end",
    [
        ("gzip", gzip.compress(BODY), BODY, "complete"),
        ("deflate", zlib.compress(BODY), BODY, "complete"),
        (" GZIP", gzip.compress(BODY), BODY, "complete"),
        ("identity", BODY, BODY, "complete"),
        ("br", b"\x8b" + BODY, b"", "unreadable"),
        ("gzip, br", b"\x8b" + BODY, b"", "unreadable"),
        ("gzip", gzip.compress(BODY)[:100] + b"broken" * 9, b"", "unreadable"),
    ],
)
async def test_a_body_that_cannot_be_looked_into_is_left_out(
    tmp_path: Path, encoding: str, body: bytes, recorded: bytes, end: str
):
    reply = Reply(headers={"content-encoding": encoding}, body=body, cut=60)
    recorder = Recorder(tmp_path, ScriptedTransport(reply))
    request = httpx.Request("POST", URL, headers={"content-encoding": encoding}, content=body)
    response = await recorder.handle_async_request(request)
    assert b"".join([chunk async for chunk in response.aiter_raw()]) == body
    recording = load_recording(recorder.recordings[0])
    assert (recording.body, recording.end, recording.request_body) == (recorded, end, recorded)


@pytest.mark.parametrize("compressed", [False, True])
async def test_memory_is_bounded(tmp_path: Path, compressed: bool):
    reply = Reply(body=b"x" * 1_000_000, gzip=compressed, cut=100)
    recorder = Recorder(tmp_path, ScriptedTransport(reply), max_body_bytes=250)
    async with httpx.AsyncClient(transport=recorder) as client:
        assert len((await client.post(URL, content=b"y" * 1000)).content) == 1_000_000
    recording = load_recording(recorder.recordings[0])
    assert (recording.body, recording.end, recording.request_body) == (b"x" * 250, "capped", b"y" * 250)


@pytest.mark.parametrize(
    "step, end, error",
    [(Reset(), "broken", httpx.ReadError), (Close(), "cut", httpx.RemoteProtocolError)],
)
async def test_a_broken_stream_is_recorded_and_breaks_again_when_played(
    tmp_path: Path, step: Any, end: str, error: type[Exception]
):
    recorder = Recorder(tmp_path, ScriptedTransport(Reply.from_sse(BODY, cut=50).at(100, step)))
    async with httpx.AsyncClient(transport=recorder) as client:
        with pytest.raises(error):
            await client.post(URL)
    recording = load_recording(recorder.recordings[0])
    assert (recording.end, recording.body) == (end, BODY[:100])
    async with ReplayServer([recording]) as server, httpx.AsyncClient() as client:
        with pytest.raises(error):
            await client.post(server.url)


async def test_a_request_without_an_answer_leaves_no_recording(tmp_path: Path):
    recorder = Recorder(tmp_path, FlakyTransport(ScriptedTransport(BODY), rate=1, faults=[Fault.CONNECT_ERROR]))
    async with httpx.AsyncClient(transport=recorder) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post(URL)
    assert (recorder.recordings, files_in(tmp_path)) == ([], [])


async def test_a_cancelled_reader_leaves_a_recording_of_what_it_had(tmp_path: Path):
    inner = ScriptedTransport(Reply.from_sse(BODY).at(100, Hold()))
    recorder = Recorder(tmp_path, inner)
    async with httpx.AsyncClient(transport=recorder) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.post, URL)
        await inner.at_rest()
        tasks.cancel_scope.cancel()
    recording = load_recording(recorder.recordings[0])
    assert (recording.body, recording.end) == (BODY[:100], "left")
    inner.assert_complete()


@pytest.mark.parametrize("over_a_socket", [True, False], ids=["server", "transport"])
async def test_a_recording_is_played_with_its_cuts(tmp_path: Path, over_a_socket: bool):
    source = Reply.from_sse(BODY, cut="random", seed=5, status=201, headers={"x-request-id": "req_1", "date": "then"})
    recorder = Recorder(tmp_path, ScriptedTransport(source))
    async with httpx.AsyncClient(transport=recorder) as client:
        await client.post(URL)
    recording = load_recording(recorder.recordings[0])
    chunks: list[bytes] = []

    async def play(client: httpx.AsyncClient, url: str) -> None:
        async with client.stream("POST", url) as response:
            chunks.extend([chunk async for chunk in response.aiter_raw()])
            assert (response.status_code, response.headers["x-request-id"]) == (201, "req_1")
            assert "date" not in response.headers

    if over_a_socket:
        async with ReplayServer([recording]) as server, httpx.AsyncClient() as client:
            await play(client, server.url)
    else:
        async with httpx.AsyncClient(transport=ScriptedTransport([recording])) as client:
            await play(client, URL)
    assert chunks == [chunk.content for chunk in recording.chunks]
    assert len(chunks) > 10


def test_a_recording_may_be_played_at_its_own_pace():
    recording = Recording(
        method="POST",
        url=URL,
        status=200,
        headers=(("Content-Length", "9"), ("Transfer-Encoding", "chunked"), ("x", "y")),
        chunks=(RecordedChunk(0.5, b"a"), RecordedChunk(0.5, b"b"), RecordedChunk(2.0, b"c")),
        end="left",
    )
    assert recording.reply(timed=True) == Reply(
        headers=[("x", "y")], body=[Pause(0.5), Send(b"a"), Send(b"b"), Pause(1.5), Send(b"c")], transfer="chunked"
    )
    assert recording.reply() == Reply(
        headers=[("x", "y")], body=[Send(b"a"), Send(b"b"), Send(b"c")], transfer="chunked"
    )


@pytest.mark.parametrize(
    "content", ["", "{}\n", '{"format": "other"}\n{"end": "left"}\n', '{"format": "codex_client.recording/1"}\n']
)
def test_a_file_that_is_no_whole_recording_is_refused(tmp_path: Path, content: str):
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match="is no whole recording"):
        load_recording(path)
