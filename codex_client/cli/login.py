"""`codex-client login`: which form the login takes, and what becomes of its tokens."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer

from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.keyring_store import KeyringTokenStore
from codex_client.auth.store import TokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.cli import login_forms
from codex_client.cli.exits import guard
from codex_client.cli.output import say, warn
from codex_client.cli.surroundings import Surroundings, kept_accounts, note_environment

BROWSER_SECONDS = 300.0


class Form(Enum):
    """How the issuer's answer gets here."""

    CALLBACK = "callback"
    PASTE = "paste"
    DEVICE = "device"


def login(
    context: typer.Context,
    device: Annotated[bool, typer.Option("--device", help="Type a code on another device's browser.")] = False,
    paste: Annotated[
        bool, typer.Option("--paste", help="Open the address anywhere, and paste the one that the browser ends at.")
    ] = False,
    no_browser: Annotated[
        bool,
        typer.Option(
            "--no-browser", help="Open no browser, but wait for one that you open: here, or through a tunnel."
        ),
    ] = False,
    workspace: Annotated[
        str | None, typer.Option(metavar="ID", help="Log in to this ChatGPT workspace and to no other.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            metavar="SECONDS",
            help=f"How long to wait (a browser {BROWSER_SECONDS:g}, a device the code's life).",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --paste: write the login under way to a new file, print its address, end."
        ),
    ] = None,
    complete: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --paste: end the login in this file with the answer on standard input."
        ),
    ] = None,
) -> None:
    """Log in to a ChatGPT account.

    Without options a browser is opened, and its answer comes back to this machine by itself. Where nobody would see a
    browser (SSH, containers, CI) the answer is pasted.
    """
    _check_options(device=device, paste=paste, no_browser=no_browser, timeout=timeout, start=start, complete=complete)
    form = _form(context.obj, device=device, paste=paste, no_browser=no_browser)
    guard(
        context,
        partial(_login, form=form, workspace=workspace, within=timeout, opens=not no_browser, files=(start, complete)),
    )


def _login(
    around: Surroundings,
    *,
    form: Form,
    workspace: str | None,
    within: float | None,
    opens: bool,
    files: tuple[Path | None, Path | None],
) -> None:
    issuer, (start, complete) = around.login_issuer(workspace), files
    if start is not None:
        return login_forms.start_paste(around, issuer=issuer, path=start)
    anyio.run(_check_store, around)
    if complete is not None:
        return login_forms.complete_paste(around, issuer=issuer, path=complete, keep=keep)
    match form:
        case Form.DEVICE:
            login_forms.by_device(around, issuer=issuer, within=within, keep=keep)
        case Form.PASTE:
            login_forms.by_paste(around, issuer=issuer, keep=keep)
        case Form.CALLBACK:
            within = within or BROWSER_SECONDS
            login_forms.by_callback(around, issuer=issuer, within=within, opens=opens, keep=keep)


async def _check_store(around: Surroundings) -> None:
    """A store that cannot be read or written is told of before anybody logs in."""
    # To lock is to write: the folder is made, and a file in it.
    async with kept_accounts(around) as accounts, accounts.store.lock("login"):
        await accounts.store.load()


async def keep(around: Surroundings, tokens: TokenSet) -> None:
    """Save the tokens of a login, and say whose they are."""
    async with kept_accounts(around) as accounts:
        store = accounts.store
        async with store.lock(tokens.key):
            present = (await store.load()).get(tokens.key)
            await store.save(tokens)
    say_logged_in(around, tokens, place_of(store))
    if present is not None:
        what = "a borrowed copy of it" if present.borrowed else "an earlier login of it"
        warn(around.err, f"this account was here already; the new login has taken the place of {what}")
    note_environment(around)


def say_logged_in(around: Surroundings, tokens: TokenSet, place: str) -> None:
    say(around.err, f"logged in as {_name(tokens)}, kept as {tokens.key} in {place}", style="bold green")


def place_of(store: TokenStore) -> str:
    """Where a store keeps things, in words."""
    match store:
        case FileTokenStore():
            return str(store.path)
        case KeyringTokenStore():
            return "the system's keyring"
        case _:
            return repr(store)


def _name(tokens: TokenSet) -> str:
    known = ((tokens.plan_type, "plan {}"), (tokens.account_id, "workspace {}"))
    told = ", ".join(form.format(value) for value, form in known if value)
    return f"{tokens.email or tokens.subject or 'a person without a name'} ({told or 'of no known plan'})"


def _form(around: Surroundings, *, device: bool, paste: bool, no_browser: bool) -> Form:
    if device:
        return Form.DEVICE
    return Form.PASTE if paste or (not no_browser and around.is_headless()) else Form.CALLBACK


def _check_options(
    *, device: bool, paste: bool, no_browser: bool, timeout: float | None, start: Path | None, complete: Path | None
) -> None:
    if device and (paste or no_browser):
        raise typer.BadParameter("--device goes with neither --paste nor --no-browser")
    if paste and no_browser:
        raise typer.BadParameter("--paste opens no browser; leave --no-browser out")
    if paste and timeout is not None:
        raise typer.BadParameter("--paste waits for you; leave --timeout out")
    if (start is not None or complete is not None) and not paste:
        raise typer.BadParameter("--start and --complete go with --paste")
    if start is not None and complete is not None:
        raise typer.BadParameter("--start and --complete are two steps; give one of them")
