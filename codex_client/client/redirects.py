"""Whether a redirect of a POST is followed, and where to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urljoin, urlsplit

from codex_client.errors import RedirectError
from codex_client.masking import safe_url

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# RFC 9110, 15.4.8 and 15.4.9: only these two promise that method and body stay.
_KEEPS_BODY = frozenset({307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def redirect_location(status: int, headers: Mapping[str, str]) -> str | None:
    """Where an answer redirects to, as it is written there; None where it is no redirect."""
    return (headers.get("location") or None) if status in _REDIRECTS else None


def redirect_target(status: int, location: str, visited: Sequence[str]) -> str:
    """The URL to send the same request to. `visited` are the URLs of this attempt so far, the redirecting one last.

    Followed are 307 and 308 on the same origin, or from http to https of the same host, up to five times: body and
    credential go along, so they must stay with the server they were meant for. Raises `RedirectError` for everything
    else; it tells where to, without query.
    """
    origin = visited[-1]
    target = _joined(origin, location)
    problem = _problem(status, urlsplit(origin), urlsplit(target), target in visited, len(visited))
    if problem is not None:
        where = safe_url(target)
        raise RedirectError(
            f"{safe_url(origin)} redirects (status {status}) to {where}, {problem}; set base_url to where the API is",
            url=where,
        )
    return target


def _joined(origin: str, location: str) -> str:
    try:
        target = urljoin(origin, location.strip()).partition("#")[0]
        _port(urlsplit(target))
    except ValueError:
        raise RedirectError(
            f"{safe_url(origin)} redirects to an address that is no URL; set base_url to where the API is",
            url=safe_url(origin),
        ) from None
    return target


def _problem(status: int, origin: SplitResult, target: SplitResult, again: bool, hops: int) -> str | None:
    if status not in _KEEPS_BODY:
        return "which would drop the request's body"
    if target.username is not None or target.password is not None:
        return "with credentials in the address"
    if not _trusted(origin, target):
        return _why_not_trusted(origin, target)
    if again:
        return "where it has been before: a loop"
    if hops > MAX_REDIRECTS:
        return f"after {MAX_REDIRECTS} redirects"
    return None


def _trusted(origin: SplitResult, target: SplitResult) -> bool:
    if origin.hostname != target.hostname:
        return False
    upgrade = (origin.scheme, target.scheme) == ("http", "https")
    return upgrade or (origin.scheme, _port(origin)) == (target.scheme, _port(target))


def _why_not_trusted(origin: SplitResult, target: SplitResult) -> str:
    if target.scheme not in _DEFAULT_PORTS:
        return "which is no HTTP"
    if (origin.scheme, target.scheme) == ("https", "http"):
        return "which gives up TLS"
    return "which is another server"


def _port(parts: SplitResult) -> int | None:
    return parts.port or _DEFAULT_PORTS.get(parts.scheme)
