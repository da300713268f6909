"""How the issuer and the ChatGPT backend say no, as replies."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from codex_client.testing.scripts import Reply

AccountRefusal: TypeAlias = Literal[
    "account_deactivated",
    "app_session_terminated",
    "deactivated_workspace",
    "token_expired",
    "token_invalidated",
    "token_revoked",
    "unsupported_country",
    "usage_not_included",
    "wrong_workspace",
]
"""Why the backend or the issuer wants nothing of an account, whatever it sends."""

ISSUER_REFUSALS: frozenset[AccountRefusal] = frozenset({"account_deactivated", "app_session_terminated"})
"""Those with which the issuer refuses a refresh, too."""

_ACCOUNT_REFUSALS: dict[AccountRefusal, tuple[int, str]] = {
    "account_deactivated": (401, "Your account has been deactivated."),
    "app_session_terminated": (401, "Your session has ended. Please sign in again."),
    "token_expired": (401, "Provided authentication token is expired. Please try signing in again."),
    "token_invalidated": (401, "Your authentication token has been invalidated. Please try signing in again."),
    "token_revoked": (401, "Encountered invalidated oauth token for user, failing request"),
}
_BLOCK_PAGE = """<!DOCTYPE html>
<html lang="en-US">
<head><title>Attention Required! | Cloudflare</title></head>
<body><h1>Sorry, you have been blocked</h1><p>Cloudflare Ray ID: {ray}</p></body>
</html>
"""


class RefusalError(Exception):
    """A request is refused with `reply`. `name` is short, for records; `problem`: what a good client would have done
    otherwise, None where it is not to blame.
    """

    def __init__(self, name: str, reply: Reply, *, problem: str | None = None) -> None:
        super().__init__(name)
        self.name = name
        self.reply = reply
        self.problem = problem


def refused(status: int, code: str, message: str, *, problem: str | None = None) -> RefusalError:
    """`{"error": {"code": …}}`: the API's shape, which the issuer uses for refused refresh tokens, too."""
    return RefusalError(code, Reply.error(status, message, code=code), problem=problem)


def oauth_refused(error: str, description: str, *, status: int = 400, problem: str | None = None) -> RefusalError:
    """`{"error": "invalid_grant", …}`: the shape of RFC 6749, 5.2."""
    reply = Reply.from_json({"error": error, "error_description": description}, status=status)
    return RefusalError(error, reply, problem=problem)


def detail_refused(status: int, detail: Any, *, name: str, problem: str | None = None) -> RefusalError:
    """`{"detail": …}`: how the ChatGPT backend refuses bodies and workspaces."""
    return RefusalError(name, Reply.from_json({"detail": detail}, status=status), problem=problem)


def account_refused(refusal: AccountRefusal, plan_type: str) -> RefusalError:
    match refusal:
        case "deactivated_workspace":
            return detail_refused(402, {"code": "deactivated_workspace"}, name=refusal)
        case "wrong_workspace":
            return wrong_workspace()
        case "unsupported_country":
            code = "unsupported_country_region_territory"
            return refused(403, code, "Country, region, or territory not supported")
        case "usage_not_included":
            told = {"type": refusal, "message": "Your plan does not include Codex.", "plan_type": plan_type}
            return RefusalError(refusal, Reply.from_json({"error": told}, status=429))
        case _:
            status, message = _ACCOUNT_REFUSALS[refusal]
            return refused(status, refusal, message)


def wrong_workspace(*, problem: str | None = None) -> RefusalError:
    detail = {"code": "invalid_workspace_selected", "message": "This token is not for the selected workspace."}
    return detail_refused(403, detail, name="wrong_workspace", problem=problem)


def blocked_page(ray: str = "8f1e2d3c4b5a6978-FRA") -> Reply:
    """The page with which Cloudflare blocks an address, in place of an answer of the server behind it."""
    headers = {
        "content-type": "text/html; charset=UTF-8",
        "cf-ray": ray,
        "server": "cloudflare",
    }
    return Reply(status=403, headers=headers, body=_BLOCK_PAGE.format(ray=ray).encode())
