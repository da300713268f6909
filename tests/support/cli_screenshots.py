"""The screenshots of the documentation: `python -m tests.support.cli_screenshots docs/accounts` writes them anew.

What they show comes from the commands' own functions, with accounts, times and limits that are made up here.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

from rich.console import Console
from rich.text import Text

from codex_client.auth.device_code import DeviceCode
from codex_client.auth.tokens import TokenSet
from codex_client.cli.accounts_report import AccountRow
from codex_client.cli.accounts_table import accounts_view
from codex_client.cli.login import say_logged_in
from codex_client.cli.login_forms import show_device_code
from codex_client.cli.quota_report import QuotaReport, QuotaRow
from codex_client.cli.quota_table import quota_table
from codex_client.cli.surroundings import Surroundings
from codex_client.credentials.explain import AccountBlock, AccountStatus
from codex_client.credentials.quota import AccountQuota
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

# Tuesday, 14 November 2023, 09:20 UTC.
NOW = 1_699_953_600.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
WIDTH = 104

# Rich's own has a font from elsewhere in it, which a page would have to load.
_FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
    font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
    font-size: {char_height}px; line-height: {line_height}px; white-space: pre;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def login_device(around: Surroundings) -> None:
    """A login with a device code, up to its end."""
    _prompt(around, "codex-client login --device")
    page = "https://auth.openai.com/codex/device"
    show_device_code(around, DeviceCode("WXYZ-23456", "device", page, interval=5.0, expires_at=NOW + 15 * MINUTE))
    say_logged_in(around, _LOGINS[0], "~/.config/codex-client/accounts.json")


def accounts(around: Surroundings) -> None:
    """Three accounts, of which one rests and one is borrowed."""
    _prompt(around, "codex-client accounts")
    rows = [AccountRow(tokens, status, not status.blocks) for tokens, status in zip(_LOGINS, _STATUSES, strict=True)]
    around.out.print(accounts_view(rows, now=NOW, timezone=UTC, width=WIDTH))


def quota(around: Surroundings) -> None:
    """Their limits; the numbers of the last one are of an earlier time."""
    _prompt(around, "codex-client quota")
    failures = (None, None, "no connection to chatgpt.com within 10 s; check the network")
    rows = [
        QuotaRow(status=status, email=tokens.email, can_serve=not status.blocks, failure=failure)
        for tokens, status, failure in zip(_LOGINS, _STATUSES, failures, strict=True)
    ]
    around.out.print(quota_table(QuotaReport(rows=rows, asked_at=NOW), now=NOW, timezone=UTC, width=WIDTH))


SCREENSHOTS: dict[str, Callable[[Surroundings], None]] = {
    "login-device": login_device,
    "accounts": accounts,
    "quota": quota,
}


def render(name: str) -> str:
    """The screenshot of this name as an SVG, the same each time."""
    console = Console(
        record=True,
        file=io.StringIO(),
        width=WIDTH,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        _environ={},
    )
    SCREENSHOTS[name](Surroundings(out=console, err=console, timezone=UTC))
    return console.export_svg(title="codex-client", code_format=_FORMAT, unique_id=f"codex-client-{name}")


def write(folder: Path) -> None:
    """All screenshots, as files in a folder that is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCREENSHOTS:
        (folder / f"{name}.svg").write_text(render(name), "utf-8")


def _prompt(around: Surroundings, command: str) -> None:
    around.out.print(Text.assemble(("$ ", "bold green"), command))


def _login(name: str, account_id: str, plan_type: str, hours: float, *, borrowed: bool = False) -> TokenSet:
    return TokenSet(
        access_token=f"token of {name}",
        refresh_token=None if borrowed else f"refresh token of {name}",
        account_id=account_id,
        subject=f"user-{name}",
        email=f"{name}@example.com",
        plan_type=plan_type,
        expires_at=NOW + hours * HOUR,
        source="codex" if borrowed else "login",
        borrowed=borrowed,
    )


def _status(tokens: TokenSet, quota: AccountQuota, *blocks: AccountBlock) -> AccountStatus:
    return AccountStatus(
        key=tokens.key,
        account_id=tokens.account_id,
        plan_type=tokens.plan_type,
        quota=quota,
        blocks=blocks,
        parked=None,
        in_flight=0,
        conversations=0,
        leases=0,
        last_used_at=None,
    )


def _quota(
    hours: tuple[float, float], week: tuple[float, float], *, credits: Credits | None = None, age: float = 0.0
) -> AccountQuota:
    """Two windows, each as used percent and seconds to its reset; `age`: seconds since they were told."""
    quota = AccountQuota()
    quota.add(
        RateLimitSnapshot(
            primary=RateLimitWindow(hours[0], 300, NOW + hours[1]),
            secondary=RateLimitWindow(week[0], 10_080, NOW + week[1]),
            credits=credits,
            source="endpoint",
            fetched_at=NOW - age,
        )
    )
    return quota


_LOGINS = (
    _login("anna", "5b0e6a3c-7d1f-4c2a-9e88-1f2d3c4b5a69", "pro", 6.5),
    _login("ben", "91c4d2e7-3a6b-4f50-8d17-6e5f4a3b2c1d", "plus", 30),
    _login("team", "c7f3e9a1-52d8-4b6e-a094-8b7c6d5e4f30", "business", 2.2, borrowed=True),
)
_USED_UP = AccountBlock(limit_id="codex", reason="usage limit reached (5 h)", until=NOW + 2 * HOUR + 10 * MINUTE)
_CREDITS = Credits(has_credits=True, balance="12.50")
_STATUSES = (
    _status(_LOGINS[0], _quota((42, 3.2 * HOUR), (69, 3 * DAY + 5 * HOUR), credits=_CREDITS)),
    _status(_LOGINS[1], _quota((100, _USED_UP.until - NOW), (57, 5 * DAY)), _USED_UP),
    _status(_LOGINS[2], _quota((96.5, 1.1 * HOUR), (23, 6 * DAY), age=12 * MINUTE)),
)

if __name__ == "__main__":
    write(Path(sys.argv[1]))
