"""Keyrings in memory."""

from __future__ import annotations


class DictKeyring:
    """A keyring that keeps entries up to `limit` characters, and forgets when the test ends."""

    def __init__(self, *, limit: int = 1_000_000) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.limit = limit

    def get_password(self, service: str, username: str, /) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        if len(password) > self.limit:
            raise ValueError(f"The stub received bad data: {password}")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str, /) -> None:
        del self.entries[service, username]
