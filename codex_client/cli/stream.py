"""`codex-client stream`: ask, and show the answer while it comes."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import anyio
import typer

from codex_client.cli.asking import Question, QuietFlag
from codex_client.cli.exits import guard
from codex_client.cli.option_groups import given_options, grouped
from codex_client.cli.recordings import Played
from codex_client.cli.server import Policy, Server, told_warnings
from codex_client.cli.surroundings import Surroundings
from codex_client.cli.turn_output import JsonOutput, RawOutput, TextOutput, TurnOutput, show_turn
from codex_client.prompt import Prompt

JsonFlag: TypeAlias = Annotated[bool, typer.Option("--json", help="One event a line, as JSON.")]
RawFlag: TypeAlias = Annotated[bool, typer.Option("--raw", help="The stream as the server sends it.")]

_OF_FIXTURES = frozenset({"--fixture", "--wire-api", "--reasoning", "--json", "--raw", "--quiet"})


class Form(Enum):
    """What is shown of a turn."""

    TEXT = "text"
    JSON = "json"
    RAW = "raw"


def chosen_form(*, as_json: bool, raw: bool) -> Form:
    if as_json and raw:
        raise typer.BadParameter("--json and --raw are two forms; give one of them")
    return Form.JSON if as_json else Form.RAW if raw else Form.TEXT


@grouped
def stream(
    context: typer.Context,
    question: Question,
    server: Server,
    policy: Policy,
    as_json: JsonFlag = False,
    raw: RawFlag = False,
    fixture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ask nobody: show a recorded stream, and take no prompt.")
    ] = None,
    quiet: QuietFlag = False,
) -> None:
    """Ask a model, and show its answer while it comes.

    The prompt is the argument, a file, or standard input. The answer's text goes to standard output, everything else
    to standard error. Whom to ask is told by the options, else by the environment (see `codex-client doctor`).
    """
    form = chosen_form(as_json=as_json, raw=raw)
    if fixture is None:
        guard(context, partial(_stream, question=question, server=server, policy=policy, form=form, quiet=quiet))
    if asked := [each for each in given_options(context) if each not in _OF_FIXTURES]:
        raise typer.BadParameter(f"--fixture asks nobody; leave out {', '.join(asked)}")

    def show(around: Surroundings) -> None:
        played = Played.load(fixture, wire_api=server.wire_api)
        anyio.run(show_played, around, played, form, question.reasoning, quiet)

    guard(context, show)


def _stream(
    around: Surroundings, *, question: Question, server: Server, policy: Policy, form: Form, quiet: bool
) -> None:
    # Outside the loop, where Ctrl-C ends a wait for the terminal.
    prompt = question.read(around)
    with told_warnings(around):
        if form is Form.RAW:
            anyio.run(_stream_raw, around, server, policy, prompt, quiet)
        else:
            output = output_of(around, form, reasoning=question.reasoning, quiet=quiet)
            anyio.run(_stream_events, around, server, policy, prompt, output, quiet)


async def _stream_events(
    around: Surroundings, server: Server, policy: Policy, prompt: Prompt, output: TurnOutput, quiet: bool
) -> None:
    async with server.connect(around, policy=policy) as client:
        await show_turn(around, client.stream(prompt), output, quiet=quiet)


async def _stream_raw(around: Surroundings, server: Server, policy: Policy, prompt: Prompt, quiet: bool) -> None:
    # What the other forms do without is not loaded for them.
    from codex_client.testing.tapping import BodyTap, NetworkTransport, client_over

    output = RawOutput(around)
    async with (
        client_over(BodyTap(output.write, NetworkTransport(around.clock))) as http,
        server.connect(around, policy=policy, http_client=http) as client,
    ):
        await show_turn(around, client.stream(prompt), output, quiet=quiet)


async def show_played(around: Surroundings, played: Played, form: Form, reasoning: bool, quiet: bool) -> None:
    """Show a recorded stream as `stream` shows one that a server sends."""
    raw = RawOutput(around) if form is Form.RAW else None
    output = raw or output_of(around, form, reasoning=reasoning, quiet=quiet)
    async with played.block(clock=around.clock, on_chunk=raw.write if raw else None) as block:
        await show_turn(around, block, output, quiet=quiet)


def output_of(around: Surroundings, form: Form, *, reasoning: bool, quiet: bool) -> TurnOutput:
    """How events are shown; raw bytes are none."""
    return JsonOutput(around) if form is Form.JSON else TextOutput(around, reasoning=reasoning, quiet=quiet)
