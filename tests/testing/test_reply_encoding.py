"""A reply's bytes on the wire."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import h11
import pytest
from hypothesis import given, strategies as st

from codex_client.testing import CommentFlood, Pause, Reply, Send
from codex_client.testing.reply_encoding import BodyPieces, ReplyWire


def wire_bytes(wire: ReplyWire, reply: Reply) -> bytes:
    writes = [write for step in reply.steps if isinstance(step, Send) for write in wire.feed(step.content)]
    return b"".join([wire.head, *writes, *wire.feed_eof()])


def read_by_h11(answer: bytes, method: str = "POST") -> tuple[h11.Response, list[bytes], bytes]:
    """The head, the pieces of the body and what is left over, as an HTTP client reads them."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(answer)
    head = client.next_event()
    assert isinstance(head, h11.Response)
    if client.their_state is h11.MUST_CLOSE or b"close" in dict(head.headers).get(b"connection", b""):
        client.receive_data(b"")
    pieces: list[bytes] = []
    while isinstance(event := client.next_event(), h11.Data):
        pieces.append(bytes(event.data))
    assert isinstance(event, h11.EndOfMessage)
    return head, pieces, client.trailing_data[0]


def test_a_length_is_announced_where_it_is_known():
    reply = Reply(headers={"x": "y"}, body=b"abc")
    assert wire_bytes(ReplyWire(reply), reply) == b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 3\r\n\r\nabc"


def test_a_body_with_other_steps_is_chunked():
    assert ReplyWire(Reply(body=[b"abc", Pause(1)])).head == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def test_each_piece_is_a_chunk():
    reply = Reply.from_sse(b"abcdefgh", cut=3)
    assert ReplyWire(reply).feed(b"abcdefgh") == [b"3\r\nabc\r\n3\r\ndef\r\n2\r\ngh\r\n"]
    assert ReplyWire(reply).feed_eof() == [b"0\r\n\r\n"]


def test_small_chunks_are_gathered_into_writes():
    writes = ReplyWire(Reply.from_sse(b"", cut=1)).feed(b"x" * 50_000)
    assert len(writes) == 5
    assert b"".join(writes) == b"1\r\nx\r\n" * 50_000


def test_without_chunks_each_piece_is_a_write():
    assert ReplyWire(Reply(body=b"", cut=2)).feed(b"abcde") == [b"ab", b"cd", b"e"]


def test_a_body_ended_by_the_connection_says_so():
    wire = ReplyWire(Reply(body=b"abc", transfer="close"))
    assert (wire.head, wire.keep_alive) == (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", False)


def test_a_raw_reply_has_no_head_and_ends_the_connection():
    reply = Reply.raw(b"HTTP/9.9 what\r\n\r\n")
    wire = ReplyWire(reply, method="HEAD")
    assert (wire_bytes(wire, reply), wire.keep_alive) == (b"HTTP/9.9 what\r\n\r\n", False)


@pytest.mark.parametrize(
    "options, closes",
    [({}, False), ({"keep_alive": False}, True), ({"http_version": "1.0"}, True)],
    ids=["1.1", "asked to close", "1.0"],
)
def test_the_connection_is_kept_unless_the_client_cannot_or_will_not(options: dict[str, Any], closes: bool):
    wire = ReplyWire(Reply(body=b"x"), **options)
    assert (b"connection: close" in wire.head, wire.keep_alive) == (closes, not closes)


def test_an_http_1_0_client_gets_no_chunks():
    reply = Reply.from_sse(b"abc")
    wire = ReplyWire(reply, http_version="1.0")
    assert wire_bytes(wire, reply).endswith(b"connection: close\r\n\r\nabc")


@pytest.mark.parametrize("method, status", [("HEAD", 200), ("POST", 204), ("POST", 304)])
def test_an_answer_that_has_no_body_by_the_rules_gets_none(method: str, status: int):
    for transfer in ("chunked", "length"):
        reply = Reply(status=status, body=b"abc", transfer=transfer)
        head, pieces, rest = read_by_h11(wire_bytes(ReplyWire(reply, method=method), reply), method)
        assert (head.status_code, pieces, rest) == (status, [], b"")


def test_framing_headers_given_by_the_test_stand_even_if_they_lie():
    reply = Reply(body=b"abc", headers={"Content-Length": "9"})
    assert ReplyWire(reply).head == b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


def test_a_flood_with_a_count_has_a_length():
    reply = Reply(body=[b"abc", CommentFlood(2, comment=b":\n\n")], transfer="length")
    assert b"content-length: 9\r\n" in ReplyWire(reply).head


def test_gzip_is_announced_and_its_length_is_that_of_the_compressed_body():
    reply = Reply(body=b"abc" * 100, gzip=True)
    head, pieces, _ = read_by_h11(wire_bytes(ReplyWire(reply), reply))
    assert dict(head.headers)[b"content-encoding"] == b"gzip"
    assert gzip.decompress(b"".join(pieces)) == b"abc" * 100


def test_gzip_lets_each_send_be_read_when_it_arrives():
    pieces = BodyPieces(Reply(gzip=True))
    inflater = zlib.decompressobj(31)
    assert [inflater.decompress(b"".join(pieces.feed(part))) for part in (b"one", b"two")] == [b"one", b"two"]
    inflater.decompress(b"".join(pieces.feed_eof()))
    assert inflater.eof


def test_random_cuts_come_from_the_seed():
    def sizes(seed: int) -> list[int]:
        return [len(piece) for piece in BodyPieces(Reply(cut="random", seed=seed)).feed(b"x" * 10_000)]

    assert sizes(1) == sizes(1)
    assert sizes(1) != sizes(2)
    assert min(sizes(1)) < 10
    assert 100 < max(sizes(1)) <= 1024


@given(
    parts=st.lists(st.binary(max_size=300), max_size=5),
    cut=st.one_of(st.none(), st.just("random"), st.integers(1, 50)),
    transfer=st.sampled_from(["chunked", "length", "close"]),
    compressed=st.booleans(),
)
def test_whatever_the_cuts_and_the_transfer_a_client_reads_the_body(
    parts: list[bytes], cut: Any, transfer: Any, compressed: bool
):
    reply = Reply(body=parts, cut=cut, transfer=transfer, gzip=compressed)
    _, pieces, rest = read_by_h11(wire_bytes(ReplyWire(reply), reply))
    body = b"".join(pieces)
    assert (gzip.decompress(body) if compressed else body) == b"".join(parts)
    assert rest == b""
    if transfer == "chunked" and not compressed:
        assert pieces == [piece for part in parts for piece in BodyPieces(Reply(cut=cut)).feed(part)] or cut == "random"
