"""The tokens of one login, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import sha256
from typing import Any, Literal, Self, TypeAlias, get_args

from codex_client.auth.claims import Claims, read_claims

Source: TypeAlias = Literal["login", "codex", "environment", "file"]
"""Where a set came from: an own login, codex's `auth.json`, environment variables, an imported JSON file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenSet:
    """What one login gave. Its repr shows no token and no e-mail address.

    `issuer` is the issuer's URL. `account_id` is the ChatGPT workspace, `subject` the person at the issuer: together
    with the issuer they are the identity, an e-mail address is not (one address may have several workspaces).
    `expires_at` and `refreshed_at` in Unix seconds, None where unknown. `borrowed`: another program owns the refresh
    token, so this one re-reads and never rotates it; `origin` is the file that it was imported from, and is read again.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    issuer: str = "https://auth.openai.com"
    client_id: str | None = None
    account_id: str | None = None
    subject: str | None = None
    email: str | None = field(default=None, repr=False)
    plan_type: str | None = None
    expires_at: float | None = None
    refreshed_at: float | None = None
    source: Source = "login"
    borrowed: bool = False
    origin: str | None = None

    @classmethod
    def from_tokens(
        cls,
        access_token: str,
        *,
        refresh_token: str | None = None,
        id_token: str | None = None,
        issuer: str,
        client_id: str | None = None,
        account_id: str | None = None,
        expires_at: float | None = None,
        refreshed_at: float | None = None,
        source: Source = "login",
        borrowed: bool = False,
    ) -> Self:
        """A set whose identity, plan and expiry are read from the tokens' claims; `account_id` and `expires_at` count
        where no claim tells them.
        """
        fresh = cls(
            access_token=access_token,
            refresh_token=refresh_token,
            id_token=id_token,
            issuer=issuer.rstrip("/"),
            client_id=client_id,
            account_id=account_id,
            expires_at=expires_at,
            refreshed_at=refreshed_at,
            source=source,
            borrowed=borrowed,
        )
        return fresh._with_claims(read_claims(access_token), read_claims(id_token))

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The set that `to_dict` gave; members that are not known are passed over. Raises `ValueError`, which names the
        odd members and shows no value.
        """
        known = {each.name: stored[each.name] for each in fields(cls) if each.name in stored}
        if known.get("source") not in get_args(Source):
            known["source"] = "file"
        odd = {name for name, value in known.items() if not _fits(name, value)}
        if not known.get("access_token"):
            odd.add("access_token")
        if not odd:
            return cls(**known)
        # A traceback with locals shows what is bound here.
        del stored, known
        raise ValueError(f"{', '.join(sorted(odd))}: missing or of the wrong type")

    def to_dict(self) -> dict[str, Any]:
        """The set as JSON can hold it, every member by its name. The tokens are in it as they are."""
        return asdict(self)

    def refreshed(
        self,
        *,
        access_token: str | None,
        refresh_token: str | None,
        id_token: str | None,
        now: float,
        expires_in: float | None = None,
    ) -> Self:
        """The set after a refresh: each token that came replaces its predecessor, and the claims are read again."""
        told = None if expires_in is None else now + expires_in
        fresh = replace(
            self,
            access_token=access_token or self.access_token,
            refresh_token=refresh_token or self.refresh_token,
            id_token=id_token or self.id_token,
            expires_at=told if access_token else self.expires_at,
            refreshed_at=now,
        )
        return fresh._with_claims(read_claims(fresh.access_token), read_claims(fresh.id_token))

    def lent(self) -> Self:
        """A borrowed copy: the access token, without what could be rotated or exchanged."""
        return replace(self, refresh_token=None, id_token=None, borrowed=True)

    @property
    def key(self) -> str:
        """The name of this identity in stores and reports: 16 hex digits of a digest of issuer, account and subject.
        Not a secret.
        """
        identity = "\n".join((self.issuer, self.account_id or "", self.subject or ""))
        if self.account_id is None and self.subject is None:
            # A bare token has no identity but itself; a refreshed one of this kind is given its key by its store.
            identity += self.refresh_token or self.access_token
        return sha256(identity.encode()).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """The access token's."""
        return fingerprint(self.access_token)

    def expires_within(self, seconds: float, *, now: float) -> bool:
        """Whether the access token ends within `seconds`; False where its end is not known."""
        return self.expires_at is not None and self.expires_at - now <= seconds

    def _with_claims(self, access: Claims, identity: Claims) -> Self:
        """What the tokens say of themselves; the id token of the person, the access token of its own end."""
        return replace(
            self,
            account_id=identity.account_id or access.account_id or self.account_id,
            subject=identity.subject or access.subject or self.subject,
            email=identity.email or access.email or self.email,
            plan_type=identity.plan_type or access.plan_type or self.plan_type,
            expires_at=access.expires_at or self.expires_at,
        )


def fingerprint(secret: str) -> str:
    """Tells a secret from another without showing it."""
    return sha256(secret.encode()).hexdigest()[:16]


_NUMBERS = {"expires_at", "refreshed_at"}
_REQUIRED_TEXTS = {"access_token", "issuer", "source"}


def _fits(name: str, value: Any) -> bool:
    if name == "borrowed":
        return isinstance(value, bool)
    if value is None:
        return name not in _REQUIRED_TEXTS
    if name in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)
