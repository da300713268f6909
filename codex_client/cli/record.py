"""`codex-client record`: ask, and keep the answer as a fixture."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from codex_client.cli.asking import Question, QuietFlag
from codex_client.cli.exits import guard
from codex_client.cli.option_groups import grouped
from codex_client.cli.output import counted, say
from codex_client.cli.server import Policy, Server, told_warnings
from codex_client.cli.surroundings import Surroundings
from codex_client.cli.turn_output import TextOutput, show_turn
from codex_client.errors import ConfigurationError
from codex_client.prompt import Prompt

if TYPE_CHECKING:
    from codex_client.testing.recorder import Recorder

_BODY, _WHOLE = ".sse", ".jsonl"


@grouped
def record(
    context: typer.Context,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="A new file, such as answer.sse; answer.jsonl is written beside it."
        ),
    ],
    question: Question,
    server: Server,
    policy: Policy,
    quiet: QuietFlag = False,
) -> None:
    """Ask a model as `stream` does, and keep what the server sent, without credentials.

    Two files are written: the body of the stream (.sse), for tests that read it as a fixture, and the whole exchange
    with its times (.jsonl), for `codex-client replay`. Look through both before you share them: the prompt and the
    answer are in them. Where several attempts were made the last one is kept.
    """
    if output.suffix.lower() not in (_BODY, _WHOLE):
        raise typer.BadParameter(f"{output} has another suffix; name it .sse, and .jsonl goes beside it")
    guard(context, partial(_record, question=question, server=server, policy=policy, path=output, quiet=quiet))


def _record(
    around: Surroundings, *, question: Question, server: Server, policy: Policy, path: Path, quiet: bool
) -> None:
    # Other commands do without what records.
    from codex_client.testing.recorder import Recorder
    from codex_client.testing.tapping import NetworkTransport

    _check_new(path)
    prompt = question.read(around)
    output = TextOutput(around, reasoning=question.reasoning, quiet=quiet)
    # Nobody else may look into it, and nothing of it stays.
    with TemporaryDirectory() as folder, told_warnings(around):
        recorder = Recorder(folder, NetworkTransport(around.clock), clock=around.clock)
        try:
            anyio.run(_ask, around, server, policy, prompt, recorder, output, quiet)
        finally:
            # A turn that failed is worth a fixture as well.
            if recorder.recordings:
                _keep(around, recorder.recordings[-1], path, attempts=len(recorder.recordings))


async def _ask(
    around: Surroundings,
    server: Server,
    policy: Policy,
    prompt: Prompt,
    recorder: Recorder,
    output: TextOutput,
    quiet: bool,
) -> None:
    from codex_client.testing.tapping import client_over

    async with (
        client_over(recorder) as http,
        server.connect(around, policy=policy, http_client=http) as client,
    ):
        await show_turn(around, client.stream(prompt), output, quiet=quiet)


def _keep(around: Surroundings, recorded: Path, path: Path, *, attempts: int) -> None:
    from codex_client.testing.recording import load_recording

    recording = load_recording(recorded)
    try:
        recording.save(path.with_suffix(_WHOLE))
    except OSError as error:
        raise ConfigurationError(
            f"{path} could not be written: {error.strerror or type(error).__name__}; see to its folder"
        ) from None
    size, which = counted(len(recording.body), "byte"), f", of attempt {attempts}" if attempts > 1 else ""
    told = f"{size} with status {recording.status} ({recording.end}) are in {path.with_suffix(_BODY)}{which}"
    say(around.err, f"{told}; the exchange with its times is in {path.with_suffix(_WHOLE).name} beside it")


def _check_new(path: Path) -> None:
    """Before anything is asked, for that costs something."""
    for each in (path.with_suffix(_BODY), path.with_suffix(_WHOLE)):
        if each.exists():
            raise ConfigurationError(f"{each} is there already and is not overwritten; remove it, or choose another")
    if not path.parent.is_dir():
        raise ConfigurationError(f"the folder {path.parent} is not there; make it first")
