"""The forms of a login at a terminal: what is shown, what is asked for, what is waited for.

What one needs to go on (an address, a code) goes to `out`, the talk about it to `err`.
"""

from __future__ import annotations

import re
import threading
import webbrowser
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import anyio
from rich.text import Text

from codex_client.auth.callback import CallbackListener
from codex_client.auth.device_code import DEVICE_WARNING, DeviceCode
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.login import BrowserLogin, DeviceLogin, login_hints
from codex_client.auth.login_handle import Callback, LoginHandle
from codex_client.auth.oauth import OAuthClient
from codex_client.auth.tokens import TokenSet
from codex_client.cli.output import say, warn, write_private
from codex_client.cli.surroundings import Surroundings
from codex_client.credentials.quota_state import duration
from codex_client.errors import CodexError, LoginError

Keep: TypeAlias = Callable[[Surroundings, TokenSet], Awaitable[None]]
"""Saves the tokens of a login, and says so."""

# Typing errors happen; who is wrong for the third time had better begin anew.
_PASTES = 3
# An answer of the issuer that says no: another paste of the same login would say the same.
_REFUSAL = re.compile(r"(?:^|[?&])error=")
# Before the issuer is asked once more that failed for a moment; the browser waits.
_PAUSE, _LONGEST_PAUSE = 1.0, 20.0


def by_callback(around: Surroundings, *, issuer: OAuthIssuer, within: float, opens: bool, keep: Keep) -> None:
    """A browser's answer comes to a port of this machine. `opens`: the browser is opened here as well."""

    async def work() -> None:
        async with (
            OAuthClient(issuer, clock=around.clock) as oauth,
            _listening(around, issuer) as listener,
        ):
            login = _PatientLogin(oauth)
            handle = login.start(redirect_uri=listener.redirect_uri)
            _show_address(around, handle.url, login_hints(headless=False))
            say(around.err, "From another machine log in with `--paste` or `--device`.", style="dim")
            if opens:
                _open_browser(around, handle.url)
            with around.err.status(f"waiting for the login, for {duration(within)} at most"):
                tokens = await listener.receive(login, within=within)
        await keep(around, tokens)

    anyio.run(work)


def by_device(around: Surroundings, *, issuer: OAuthIssuer, within: float | None, keep: Keep) -> None:
    """The user types a code in a browser elsewhere. `within`: seconds to wait, None for as long as the code lives."""

    async def work() -> None:
        async with OAuthClient(issuer, clock=around.clock) as oauth:
            login = DeviceLogin(oauth)
            code = await login.start()
            show_device_code(around, code)
            lifetime = code.expires_at - around.clock.time()
            seconds = lifetime + code.interval if within is None else within
            with (
                around.err.status(f"waiting until you agree there, for {duration(min(seconds, lifetime))} at most"),
                around.clock.move_on_after(seconds) as limit,
            ):
                tokens = await login.complete()
        if limit.cancelled_caught:
            raise LoginError(f"nobody agreed to the login within {seconds:g} s; start it again")
        await keep(around, tokens)

    anyio.run(work)


def by_paste(around: Surroundings, *, issuer: OAuthIssuer, keep: Keep) -> None:
    """The user opens the address anywhere, and pastes where the browser has ended up."""
    handle = anyio.run(_new_login, around, issuer)
    _show_address(around, handle.url, login_hints(headless=True))
    say(around.err, "For that device code: `codex-client login --device`.", style="dim")
    for left in reversed(range(_PASTES)):
        around.err.print("Paste the address, or the code in it, and press Enter: ", end="")
        pasted = _Pasted(around.input.readline())
        try:
            tokens = anyio.run(_exchanged, around, issuer, handle, pasted)
        except CodexError as error:
            advice = _advice(error, handle, pasted)
            # Nothing more comes from a pipe that has ended.
            if advice is None or not left or not pasted:
                raise
            warn(around.err, advice)
        else:
            return anyio.run(keep, around, tokens)


def start_paste(around: Surroundings, *, issuer: OAuthIssuer, path: Path) -> None:
    """The first of two steps: the login under way goes into a new file, its address to `out`."""
    handle = anyio.run(_new_login, around, issuer)
    write_private(path, handle.to_json)
    _show_address(around, handle.url, login_hints(headless=True)[:1])
    say(around.err, f"Then give that address to: codex-client login --paste --complete {path}", style="dim")


def complete_paste(around: Surroundings, *, issuer: OAuthIssuer, path: Path, keep: Keep) -> None:
    """The second step: the answer is all of standard input. The file is of no more use then, and is removed."""
    handle = _read_login(path)
    tokens = anyio.run(_exchanged, around, issuer, handle, _Pasted(around.input.read()))
    anyio.run(keep, around, tokens)
    path.unlink(missing_ok=True)


def show_device_code(around: Surroundings, code: DeviceCode) -> None:
    """The page, what to type there, and what not to do with it."""
    for label, text, style in (("page  ", code.page, "underline"), ("code  ", code.user_code, "bold")):
        around.out.print(Text.assemble((label, "dim"), (text, style)), soft_wrap=True)
    say(around.err, DEVICE_WARNING, style="yellow")


class _Pasted:
    """A text with a code in it, which no repr shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        return self._text


class _PatientLogin(BrowserLogin):
    """Asks once more where the issuer failed for a moment: there is nobody to paste the code again."""

    async def redeem(self, callback: Callback) -> TokenSet:
        try:
            return await super().redeem(callback)
        except CodexError as error:
            if not error.retryable:
                raise
            pause = min(error.retry_after or _PAUSE, _LONGEST_PAUSE)
        await self._oauth.clock.sleep(pause)
        return await super().redeem(callback)


@asynccontextmanager
async def _listening(around: Surroundings, issuer: OAuthIssuer) -> AsyncGenerator[CallbackListener]:
    async with AsyncExitStack() as opened:
        try:
            listener = await opened.enter_async_context(CallbackListener(issuer, clock=around.clock))
        except LoginError as error:
            raise LoginError(f"{error.message}: `codex-client login --paste` or `--device`") from None
        yield listener


async def _exchanged(around: Surroundings, issuer: OAuthIssuer, handle: LoginHandle, pasted: _Pasted) -> TokenSet:
    async with OAuthClient(issuer, clock=around.clock) as oauth:
        return await BrowserLogin(oauth, handle=handle).complete(pasted.reveal())


def _advice(error: CodexError, handle: LoginHandle, pasted: _Pasted) -> str | None:
    """What to say where another paste may do better; None for what ends the login."""
    read = handle.read_paste(pasted.reveal())
    if read.problem is not None:
        is_refusal = _REFUSAL.search(pasted.reveal()) and not read.is_stray
        return None if is_refusal else error.message
    # What the issuer's failure says to do is for those who cannot paste.
    what, _, _ = error.message.partition(";")
    return f"{what}; paste it once more" if error.retryable else None


async def _new_login(around: Surroundings, issuer: OAuthIssuer) -> LoginHandle:
    async with OAuthClient(issuer, clock=around.clock) as oauth:
        return BrowserLogin(oauth).start()


def _read_login(path: Path) -> LoginHandle:
    try:
        return LoginHandle.from_json(path.read_text("utf-8"))
    except LoginError as error:
        problem = f"could not be used ({error.message.partition(';')[0]})"
    except FileNotFoundError:
        problem = "is not there"
    except (OSError, UnicodeDecodeError) as error:
        problem = f"could not be read ({type(error).__name__})"
    raise LoginError(f"{path} {problem}; start a login with `codex-client login --paste --start {path}`")


def _show_address(around: Surroundings, url: str, hints: tuple[str, ...]) -> None:
    around.out.print(Text(url, "underline"), soft_wrap=True)
    for hint in hints:
        say(around.err, hint)


def _open_browser(around: Surroundings, url: str) -> None:
    """Some browsers run in the terminal until they are closed, and must be served meanwhile: so not in this thread."""

    def work() -> None:
        try:
            is_open = around.open_browser(url)
        except (webbrowser.Error, OSError):
            is_open = False
        if not is_open:
            warn(around.err, "no browser could be opened; open the address yourself")

    threading.Thread(target=work, name="codex-client browser", daemon=True).start()
