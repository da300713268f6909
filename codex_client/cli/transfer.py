"""`codex-client import` and `codex-client export`: logins of other programs, and logins for other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from codex_client.auth.importing import (
    export_secrets_as_env,
    export_secrets_as_json,
    import_from_codex,
    import_from_environment,
    import_from_file,
    import_into,
)
from codex_client.auth.tokens import TokenSet
from codex_client.cli.accounts_report import has_ended
from codex_client.cli.chosen import KEY_HELP, chosen_keys, require_any
from codex_client.cli.completion import import_sources, kept_keys
from codex_client.cli.exits import run
from codex_client.cli.output import counted, emit, say, warn, write_private
from codex_client.cli.surroundings import Surroundings, kept_accounts
from codex_client.credentials.quota_state import duration
from codex_client.errors import LoginRequiredError

_STANDARD_INPUT = Path("/dev/stdin")


class ExportFormat(StrEnum):
    """Forms that `import` reads again: a file of JSON, or variables in the environment."""

    ENV = "env"
    JSON = "json"


def import_(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="codex|env|FILE",
            help="The Codex CLI's login, the environment's variables, or a JSON file (`-` for standard input): an "
            "export, an auth.json, a list of accounts.",
            autocompletion=import_sources,
        ),
    ] = "codex",
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Take the refresh token as well. Log out of the other program then: two that use it "
            "log each other out.",
        ),
    ] = False,
) -> None:
    """Copy logins of other programs.

    A copy is borrowed: it has no refresh token, and is of use until its access token ends.
    """
    run(context, partial(_import, source=source, take_over=take_over))


def export(
    context: typer.Context,
    form: Annotated[
        ExportFormat, typer.Option("--format", metavar="FORMAT", help="env, lines for a .env file; or json.")
    ],
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY", help=KEY_HELP, autocompletion=kept_keys)] = None,
    every: Annotated[bool, typer.Option("--all", help="Export all accounts.")] = False,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Needed: an export is all tokens in the clear.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A new file, which only you may read, in place of standard output."),
    ] = None,
) -> None:
    """Write logins for another machine, with all their tokens."""
    if bool(keys) == every:
        raise typer.BadParameter("give accounts, or --all for all of them")
    if not show_secrets:
        raise typer.BadParameter("who reads an export is logged in; add --show-secrets if that is meant")
    run(context, partial(_export, form=form, wanted=keys, output=output))


async def _import(around: Surroundings, *, source: str, take_over: bool) -> None:
    logins = _found(source, take_over=take_over)
    async with kept_accounts(around) as accounts:
        outcomes = await import_into(accounts.store, logins)
    for tokens in logins:
        outcome = outcomes[tokens.key]
        say(
            around.err,
            f"{outcome} {tokens.key} ({tokens.email or tokens.account_id or 'of an unknown account'}): "
            + _consequence(tokens, kept=outcome == "kept"),
        )
        for doubt in _doubts(tokens, now=around.clock.time()):
            warn(around.err, f"{tokens.key}: {doubt}")
    if any(not each.borrowed for each in logins):
        warn(
            around.err,
            "log out of the program that these logins are from: two programs with one refresh token log each other out",
        )


def _found(source: str, *, take_over: bool) -> list[TokenSet]:
    match source:
        case "codex":
            return import_from_codex(take_over=take_over)
        case "env":
            logins = import_from_environment(take_over=take_over)
        case _:
            path = _STANDARD_INPUT if source == "-" else Path(source)
            return [_of_a_file(each) for each in import_from_file(path, take_over=take_over)]
    if not logins:
        raise LoginRequiredError("the environment has no login; set CODEX_ACCESS_TOKEN, and the others as documented")
    return logins


def _of_a_file(tokens: TokenSet) -> TokenSet:
    """An export says where each login was from; here it is from a file. What is Codex's is told by its form."""
    return tokens if tokens.source == "codex" else replace(tokens, source="file")


def _doubts(tokens: TokenSet, *, now: float) -> Iterator[str]:
    """Why a login may be of no use."""
    if tokens.account_id is None and tokens.subject is None:
        yield "no account is told by this token; check it"
    if tokens.expires_at is not None and has_ended(tokens, now):
        yield f"this token ended {duration(now - tokens.expires_at)} ago; import it again when it has been renewed"


def _consequence(tokens: TokenSet, *, kept: bool) -> str:
    if kept:
        return "the login that is here is an own one, and no copy takes its place"
    if tokens.borrowed:
        return "borrowed; import it again when its owner has renewed it, or log in here"
    return "this program renews it from now on"


async def _export(
    around: Surroundings, *, form: ExportFormat, wanted: Sequence[str] | None, output: Path | None
) -> None:
    async with kept_accounts(around) as accounts:
        stored = await accounts.store.load()
    require_any(stored)
    logins = [stored[key] for key in (chosen_keys(stored, wanted) if wanted else stored)]
    make: Callable[[], str] = partial(_text, logins, form)
    if output is not None:
        write_private(output, make)
        are = "is" if len(logins) == 1 else "are"
        say(around.err, f"{counted(len(logins), 'account')} {are} in {output}; who reads it is logged in")
    else:
        if around.out.is_terminal:
            warn(around.err, "these tokens are on your screen and in its history; who reads them is logged in")
        emit(around.out, make())
    if any(each.refresh_token for each in logins):
        warn(
            around.err,
            "use the export in one place only, and log out here: two programs with one refresh token log "
            "each other out",
        )


def _text(logins: Sequence[TokenSet], form: ExportFormat) -> str:
    return export_secrets_as_env(logins) if form is ExportFormat.ENV else export_secrets_as_json(logins) + "\n"
