"""Rate limits as response headers tell them.

Three dialects: `x-codex-…` (shares of named windows, the ChatGPT backend), `x-ratelimit-…` and its relatives (counts,
most others), and Copilot's `x-quota-snapshot-…` (shares in a query string). What gives neither a share nor both counts
is left out: nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import parse_qs

from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow
from codex_client.retry_advice import LIMIT_HEADER, number, reset_at, within_renewal

_CODEX_USED = re.compile(r"x-(.+)-primary-used-percent")
_DEFAULT_FAMILY = "codex"
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
_REACHED_TYPES = frozenset(
    {
        "rate_limit_reached",
        "workspace_owner_credits_depleted",
        "workspace_member_credits_depleted",
        "workspace_owner_usage_limit_reached",
        "workspace_member_usage_limit_reached",
    }
)
# x-ratelimit-limit-tokens, x-ratelimit-limit (Together), ratelimit-limit (IETF draft), ratelimitbysize-limit (Mistral).
_COUNTED = re.compile(r"(?:x-)?ratelimit(bysize)?-(limit|remaining|reset|renewalperiod)(?:-(.+))?")
_WINDOW_MINUTES = {"minute": 1, "hour": 60, "day": 1440, "month": 43_200}
# Cerebras writes 2^63 - 1 (rounded through a float) for "no limit".
_NO_LIMIT = 2**62
_LEADING_NUMBER = re.compile(r"\s*([0-9]{1,30}(?:\.[0-9]+)?)(?:\s*[,;].*)?\s*")
# ratelimit: "api";r=499;t=278 with ratelimit-policy: "fixed window";"api";q=500;w=300 (IETF draft 9, Hugging Face).
_IETF_NAME = re.compile(r'"([^"]{1,80})"')
_IETF_PARAMETER = re.compile(r";\s*([rtqw])=([0-9]{1,18})")
_QUOTA_PREFIX = "x-quota-snapshot-"


class HeaderRateLimits:
    """The `RateLimitProvider` that reads what is known of all providers."""

    def parse(self, headers: Mapping[str, str], *, now: float) -> list[RateLimitSnapshot]:
        """One snapshot per family, the `codex` family first. `now` in Unix seconds. Never raises."""
        told = _limit_headers(headers)
        if not told:
            return []
        families: dict[str, RateLimitSnapshot] = {}
        for read in (_codex_families, _counted, _ietf, _quota_snapshots):
            for snapshot in read(told, now):
                families.setdefault(snapshot.limit_id, snapshot)
        return [replace(snapshot, source="header", fetched_at=now) for snapshot in families.values()]


def server_model(headers: Mapping[str, str]) -> str | None:
    """The model that really answers, where the server names it."""
    return _get(headers, "openai-model") or _get(headers, "x-openai-model")


def models_etag(headers: Mapping[str, str]) -> str | None:
    """The version of the server's model list; a change means that the list should be fetched again."""
    return _get(headers, "x-models-etag")


def _get(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name, "")
    if not value and isinstance(headers, dict):
        # The HTTP libraries' own mappings look names up in any case, a plain dictionary does not.
        value = next((text for key, text in headers.items() if key.lower() == name), "")
    return value.strip() or None


def _limit_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Only the names that matter here, in lower case: most answers have none."""
    return {name: headers[key] for key in headers if LIMIT_HEADER.search(name := key.lower())}


def _codex_families(told: Mapping[str, str], now: float) -> Iterator[RateLimitSnapshot]:
    """`x-codex-…`, and the same headers under the names of other families: the default family first."""
    families = dict.fromkeys([_DEFAULT_FAMILY])
    families.update(dict.fromkeys(found[1] for name in told if (found := _CODEX_USED.fullmatch(name))))
    for family in families:
        snapshot = _codex_family(told, family, now)
        if snapshot.windows or snapshot.credits or snapshot.plan_type or snapshot.reached_type:
            yield snapshot


def _codex_family(told: Mapping[str, str], family: str, now: float) -> RateLimitSnapshot:
    # The bare x-codex-… headers speak of the account and go with the default family.
    is_default = family == _DEFAULT_FAMILY
    reached = told.get("x-codex-rate-limit-reached-type", "").strip().lower()
    return RateLimitSnapshot(
        limit_id=family.replace("-", "_"),
        limit_name=told.get(f"x-{family}-limit-name", "").strip() or None,
        primary=_codex_window(told, f"x-{family}-primary", now),
        secondary=_codex_window(told, f"x-{family}-secondary", now),
        credits=_credits(told) if is_default else None,
        plan_type=told.get("x-codex-plan-type", "").strip() or None if is_default else None,
        reached_type=reached if is_default and reached in _REACHED_TYPES else None,
    )


def _codex_window(told: Mapping[str, str], prefix: str, now: float) -> RateLimitWindow | None:
    """A window exists where a share is told and not all is zero: absent windows come as zeros and empty texts."""
    used = number(told.get(f"{prefix}-used-percent", ""))
    if used is None:
        return None
    minutes = number(told.get(f"{prefix}-window-minutes", ""))
    resets_at = _codex_reset(told, prefix, now)
    if not used and not minutes and resets_at is None:
        return None
    return RateLimitWindow(used_percent=used, window_minutes=int(minutes) if minutes else None, resets_at=resets_at)


def _codex_reset(told: Mapping[str, str], prefix: str, now: float) -> float | None:
    for name in (f"{prefix}-reset-at", f"{prefix}-reset-after-seconds"):
        text = told.get(name, "")
        if number(text) != 0 and (moment := reset_at(text, now=now)) is not None:
            return moment
    return None


def _credits(told: Mapping[str, str]) -> Credits | None:
    has_credits = _boolean(told.get("x-codex-credits-has-credits", ""))
    unlimited = _boolean(told.get("x-codex-credits-unlimited", ""))
    if has_credits is None and unlimited is None:
        return None
    balance = told.get("x-codex-credits-balance", "").strip() or None
    return Credits(has_credits=bool(has_credits), unlimited=bool(unlimited), balance=balance)


def _boolean(text: str) -> bool | None:
    text = text.strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _counted(told: Mapping[str, str], now: float) -> Iterator[RateLimitSnapshot]:
    """`x-ratelimit-…` and its relatives: limit, remaining and reset of each kind that is counted."""
    families: dict[str, dict[str, str]] = {}
    for name, value in told.items():
        if found := _COUNTED.fullmatch(name):
            by_size, kind, rest = found.groups()
            # OpenAI writes both tokens-usage-based and tokens_usage_based.
            limit_id = "-".join(part for part in ("size" if by_size else "", (rest or "").replace("_", "-")) if part)
            families.setdefault(limit_id or "default", {})[kind] = value
    for limit_id, values in families.items():
        if window := _counted_window(limit_id, values, now):
            yield RateLimitSnapshot(limit_id=limit_id, primary=window)


def _counted_window(limit_id: str, values: Mapping[str, str], now: float) -> RateLimitWindow | None:
    """A share needs both counts. Azure's -1 and 0 for "unknown" are no counts."""
    limit, remaining = _count(values.get("limit", "")), _count(values.get("remaining", ""))
    if not limit or remaining is None or limit >= _NO_LIMIT:
        return None
    return RateLimitWindow(
        used_percent=_used_percent(remaining, limit),
        window_minutes=_WINDOW_MINUTES.get(limit_id.rpartition("-")[2]) or _renewal_minutes(values),
        resets_at=reset_at(within_renewal(values.get("reset", ""), values.get("renewalperiod", "")), now=now),
        limit=limit,
        remaining=remaining,
    )


def _used_percent(remaining: int, limit: int) -> float:
    return max(0.0, 100 * (limit - remaining) / limit)


def _renewal_minutes(values: Mapping[str, str]) -> int | None:
    renewal = number(values.get("renewalperiod", ""))
    return round(renewal / 60) or None if renewal else None


def _count(text: str) -> int | None:
    """The first number: draft IETF headers and joined duplicates go on behind a comma or semicolon."""
    found = _LEADING_NUMBER.fullmatch(text)
    return int(float(found[1])) if found and "." in found[1] else int(found[1]) if found else None


def _ietf(told: Mapping[str, str], now: float) -> Iterator[RateLimitSnapshot]:
    """`ratelimit` and `ratelimit-policy`, which hold all of it as parameters."""
    state, policy = told.get("ratelimit", ""), told.get("ratelimit-policy", "")
    name = _IETF_NAME.search(state)
    values = {key: int(value) for key, value in _IETF_PARAMETER.findall(policy) + _IETF_PARAMETER.findall(state)}
    if name is None or not values.get("q") or "r" not in values:
        return
    window = RateLimitWindow(
        used_percent=_used_percent(values["r"], values["q"]),
        window_minutes=round(values.get("w", 0) / 60) or None,
        resets_at=now + values["t"] if "t" in values else None,
        limit=values["q"],
        remaining=values["r"],
    )
    yield RateLimitSnapshot(limit_id=name[1], primary=window)


def _quota_snapshots(told: Mapping[str, str], now: float) -> Iterator[RateLimitSnapshot]:
    """`x-quota-snapshot-…: ent=300&ov=0.0&rem=88.7&rst=2025-10-01T00:00:00Z`: entitlement (-1: unlimited), percent
    left, reset.
    """
    for name, value in told.items():
        if not name.startswith(_QUOTA_PREFIX):
            continue
        fields = {key: values[0] for key, values in parse_qs(value).items()}
        entitlement, left = number(fields.get("ent", "")), number(fields.get("rem", ""))
        if not entitlement or left is None:
            continue
        window = RateLimitWindow(
            used_percent=max(0.0, 100 - left),
            resets_at=reset_at(fields.get("rst", ""), now=now),
            limit=int(entitlement),
        )
        yield RateLimitSnapshot(limit_id=name.removeprefix(_QUOTA_PREFIX), primary=window)
