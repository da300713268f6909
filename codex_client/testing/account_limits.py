"""What the ChatGPT backend says of an account's limits: headers, the event, the usage endpoint, the 429."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from codex_client.model_variants import Credits
from codex_client.testing.accounts import LimitWindow, ServerAccount, Which
from codex_client.testing.builders import Event
from codex_client.testing.scripts import Reply

_PLACES: tuple[Which, Which] = ("primary", "secondary")


def limit_headers(account: ServerAccount, active: str, now: float) -> dict[str, str]:
    """`x-codex-…`, and the same for every other family. `active`: the family that the request counts against."""
    headers = {"x-codex-plan-type": account.plan_type, "x-codex-active-limit": active}
    for limit_id, windows in account.limits.items():
        family = f"x-{limit_id.replace('_', '-')}"
        if limit_id != "codex":
            headers[f"{family}-limit-name"] = limit_id
        for place, window in windows.items():
            headers |= _window_headers(f"{family}-{place}", window, now)
    return headers | _credit_headers(account.credits)


def rate_limit_event(account: ServerAccount, limit_id: str) -> Event:
    """`codex.rate_limits`. Minutes, as in the headers."""
    windows = account.limits.get(limit_id, {})
    return {
        "type": "codex.rate_limits",
        "plan_type": account.plan_type,
        "rate_limits": {
            **_verdict(windows),
            **{place: _event_window(windows.get(place)) for place in _PLACES},
        },
        "code_review_rate_limits": None,
        "credits": _credits(account.credits),
        "metered_limit_name": limit_id,
        "limit_name": None if limit_id == "codex" else limit_id,
        "promo": None,
    }


def usage_report(account: ServerAccount, now: float) -> dict[str, Any]:
    """The JSON of the usage endpoint. Seconds, where headers and event have minutes."""
    families = account.limits
    others = [limit_id for limit_id in families if limit_id != "codex"]
    return {
        "user_id": account.subject,
        "account_id": account.account_id,
        "email": account.email,
        "plan_type": account.plan_type,
        "rate_limit": _endpoint_limit(families.get("codex", {}), now),
        "code_review_rate_limit": None,
        "additional_rate_limits": [
            {
                "limit_name": limit_id,
                "metered_feature": limit_id,
                "rate_limit": _endpoint_limit(families[limit_id], now),
            }
            for limit_id in others
        ],
        "credits": _credits(account.credits),
        "spend_control": {"reached": False},
        "rate_limit_reached_type": None,
        "promo": None,
    }


def usage_limit_reply(account: ServerAccount, limit_id: str, resets_at: float, now: float) -> Reply:
    """The 429 of a used-up window."""
    error = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": account.plan_type,
        "resets_at": math.ceil(resets_at),
        "resets_in_seconds": math.ceil(resets_at - now),
    }
    return Reply.from_json({"error": error}, status=429, headers=limit_headers(account, limit_id, now))


def _window_headers(prefix: str, window: LimitWindow, now: float) -> dict[str, str]:
    return {
        f"{prefix}-used-percent": f"{window.used_percent:g}",
        f"{prefix}-window-minutes": str(window.window_minutes),
        # Rounded up, so that who comes at the time told finds the window reset.
        f"{prefix}-reset-at": str(math.ceil(window.resets_at)),
        f"{prefix}-reset-after-seconds": str(math.ceil(window.resets_at - now)),
    }


def _credit_headers(credits: Credits | None) -> dict[str, str]:
    if credits is None:
        return {}
    return {
        "x-codex-credits-has-credits": str(credits.has_credits),
        "x-codex-credits-unlimited": str(credits.unlimited),
        "x-codex-credits-balance": credits.balance or "",
    }


def _credits(credits: Credits | None) -> dict[str, Any] | None:
    if credits is None:
        return None
    return {"has_credits": credits.has_credits, "unlimited": credits.unlimited, "balance": credits.balance}


def _verdict(windows: Mapping[Which, LimitWindow]) -> dict[str, bool]:
    reached = any(window.exhausted for window in windows.values())
    return {"allowed": not reached, "limit_reached": reached}


def _event_window(window: LimitWindow | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "used_percent": window.used_percent,
        "window_minutes": window.window_minutes,
        "reset_at": math.ceil(window.resets_at),
    }


def _endpoint_limit(windows: Mapping[Which, LimitWindow], now: float) -> dict[str, Any]:
    places = {f"{place}_window": _endpoint_window(windows.get(place), now) for place in _PLACES}
    return {**_verdict(windows), **places}


def _endpoint_window(window: LimitWindow | None, now: float) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "used_percent": window.used_percent,
        "limit_window_seconds": window.window_minutes * 60,
        "reset_after_seconds": math.ceil(window.resets_at - now),
        "reset_at": math.ceil(window.resets_at),
    }
