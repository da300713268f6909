"""What one turn sends, as the HTTP layer sees it: bytes, which may depend on the account, and a say after a refusal."""

from __future__ import annotations

from collections.abc import Mapping

from codex_client.api import Lease
from codex_client.errors import CodexError


class Outgoing:
    """The request of one turn. This one is the same for every account and at every attempt.

    `conversation_id` goes into headers and to the auth provider.
    """

    def __init__(self, body: bytes, *, conversation_id: str | None = None) -> None:
        self.body: bytes = body
        self.conversation_id = conversation_id

    def body_for(self, lease: Lease) -> bytes:
        """The JSON body for the account of this lease; the same bytes whenever it is asked for again."""
        return self.body

    def headers_for(self, lease: Lease) -> Mapping[str, str]:
        """Headers of its own, below all that the configuration sets."""
        return {}

    def amend(self, error: CodexError) -> bool:
        """Whether the request has been changed so that the server may now take what it refused: try again at once."""
        return False
