"""`codex-client replay`: a recorded stream once more, here or for other programs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer

from codex_client.cli.asking import WireApiOption
from codex_client.cli.exits import guard
from codex_client.cli.output import say
from codex_client.cli.recordings import Played
from codex_client.cli.stream import Form, JsonFlag, QuietFlag, RawFlag, ReasoningFlag, chosen_form, show_played
from codex_client.cli.surroundings import Surroundings
from codex_client.testing.replay_server import ReplayServer
from codex_client.testing.requests import RecordedRequest
from codex_client.testing.scripts import Reply


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording (.jsonl), or a fixture in any form.")],
    speed: Annotated[
        float, typer.Option(min=0, metavar="N", help="How many times as fast as it came; 0 plays it at once.")
    ] = 1.0,
    serve: Annotated[bool, typer.Option("--serve", help="Answer other programs with it, until Ctrl-C.")] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, metavar="PORT", help="With --serve: where, on this machine only.")
    ] = None,
    wire_api: WireApiOption = None,
    reasoning: ReasoningFlag = False,
    as_json: JsonFlag = False,
    raw: RawFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Play a recorded stream again, at the pace at which it came.

    Only a recording knows that pace and its API; other fixtures come at once, as of the Responses API where no
    --wire-api is given. With --serve the address to give to other programs goes to standard output.
    """
    form = chosen_form(as_json=as_json, raw=raw)
    if port is not None and not serve:
        raise typer.BadParameter("--port goes with --serve")
    if serve and (reasoning or form is not Form.TEXT):
        raise typer.BadParameter("--serve shows nothing of the stream; leave --json, --raw and --reasoning out")

    def work(around: Surroundings) -> None:
        played = Played.load(file, wire_api=wire_api, speed=speed)
        if serve:
            anyio.run(_serve, around, played, port or 0, quiet)
        else:
            anyio.run(partial(show_played, around, played, form, reasoning, quiet))

    guard(context, work)


async def _serve(around: Surroundings, played: Played, port: int, quiet: bool) -> None:
    def answer(request: RecordedRequest) -> Reply:
        if not quiet:
            say(around.err, f"{request.method} {request.path}", style="dim")
        return played.reply

    async with ReplayServer({f"POST {played.wire_api.path}": answer}, port=port, clock=around.clock) as server:
        say(around.out, server.base_url)
        around.out.file.flush()
        if not quiet:
            say(
                around.err,
                f"every POST to {played.wire_api.path} under it is answered with the recording; Ctrl-C ends it",
            )
        await anyio.sleep_forever()
