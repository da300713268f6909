"""`codex-client replay`: a recorded stream once more, here or for other programs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from codex_client.cli.asking import QuietFlag, ReasoningFlag
from codex_client.cli.exits import guard
from codex_client.cli.output import say
from codex_client.cli.recordings import Played
from codex_client.cli.server import WireApiOption
from codex_client.cli.stream import Form, JsonFlag, RawFlag, chosen_form, show_played
from codex_client.cli.surroundings import Surroundings
from codex_client.errors import ConfigurationError
from codex_client.model_provider import WireApi

if TYPE_CHECKING:
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

    Only a recording knows that pace; other fixtures come at once. With --serve the address to give to other programs
    goes to standard output.
    """
    form = chosen_form(as_json=as_json, raw=raw)
    if port is not None and not serve:
        raise typer.BadParameter("--port goes with --serve")
    if serve and (reasoning or form is not Form.TEXT):
        raise typer.BadParameter("--serve shows nothing of the stream; leave --json, --raw and --reasoning out")

    def work(around: Surroundings) -> None:
        if serve:
            serving = partial(_serve, wire_api=wire_api, speed=speed, port=port or 0, quiet=quiet)
            anyio.run(serving, around, file)
        else:
            played = Played.load(file, wire_api=wire_api, speed=speed)
            anyio.run(partial(show_played, around, played, form, reasoning, quiet))

    guard(context, work)


async def _serve(
    around: Surroundings, file: Path, *, wire_api: WireApi | None, speed: float, port: int, quiet: bool
) -> None:
    # What plays here does without these.
    from codex_client.cli.served_recording import ServedRecording
    from codex_client.testing.replay_server import ReplayServer

    served = await ServedRecording.load(file, wire_api=wire_api, speed=speed, clock=around.clock)

    def answer(request: RecordedRequest) -> Reply:
        if not quiet:
            say(around.err, f"{request.method} {request.path}", style="dim")
        return served.answer(request)

    async with AsyncExitStack() as opened:
        try:
            server = await opened.enter_async_context(ReplayServer(answer, port=port, clock=around.clock))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} of this machine cannot be had: {error.strerror or error}; end what runs there, or choose "
                "another by --port"
            ) from None
        say(around.out, server.base_url)
        around.out.file.flush()
        if not quiet:
            say(
                around.err,
                f"every POST to {served.played.wire_api.path} under it is answered with the recording: as a stream to "
                "who asks for one, else whole; Ctrl-C ends it",
            )
        await anyio.sleep_forever()
