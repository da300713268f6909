"""The soak test's server, a process of its own: `python -m tests.soak.server SEED [AUTHORITY]` prints its base URL.

With AUTHORITY, a file to write a certificate authority to, it speaks HTTP/2 over TLS. It ends when its standard input
does, so it never outlives who started it.
"""

from __future__ import annotations

import ssl
import sys

import anyio
import trustme

from codex_client.testing import RecordedRequest, ReplayServer, Reply
from tests.soak.replies import Answers
from tests.support.h2_server import H2Server


async def serve(seed: int, authority_file: str | None) -> None:
    answers = Answers(seed, http2=authority_file is not None)

    def answer(request: RecordedRequest) -> Reply:
        # It keeps every request for its user, here for hundreds of thousands of streams.
        server.requests.clear()
        return answers(request)

    server = H2Server(answer, ssl_context=_tls(authority_file)) if authority_file else ReplayServer(answer)
    async with server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await anyio.wait_readable(sys.stdin)


def _tls(authority_file: str) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(authority_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return context


if __name__ == "__main__":
    anyio.run(serve, int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
