"""`codex-client record`: ask, and keep the answer as a fixture."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import anyio
import typer

from codex_client.cli.asking import (
    BaseUrlOption,
    EffortOption,
    FileOption,
    ImagesOption,
    InstructionsOption,
    MaxOutputTokensOption,
    ModelOption,
    PromptArgument,
    ProviderOption,
    Question,
    SchemaOption,
    Server,
    VerbosityOption,
    WireApiOption,
    told_warnings,
)
from codex_client.cli.exits import guard
from codex_client.cli.output import counted, say
from codex_client.cli.stream import QuietFlag, ReasoningFlag
from codex_client.cli.surroundings import Surroundings
from codex_client.cli.turn_output import TextOutput, show_turn
from codex_client.errors import ConfigurationError
from codex_client.prompt import Prompt
from codex_client.testing.recorder import Recorder
from codex_client.testing.recording import load_recording
from codex_client.testing.tapping import NetworkTransport, client_over

_BODY, _WHOLE = ".sse", ".jsonl"


def record(
    context: typer.Context,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="A new file, such as answer.sse; answer.jsonl is written beside it."
        ),
    ],
    prompt: PromptArgument = None,
    file: FileOption = None,
    instructions: InstructionsOption = None,
    model: ModelOption = None,
    provider: ProviderOption = None,
    base_url: BaseUrlOption = None,
    wire_api: WireApiOption = None,
    effort: EffortOption = None,
    verbosity: VerbosityOption = None,
    schema: SchemaOption = None,
    max_output_tokens: MaxOutputTokensOption = None,
    image: ImagesOption = None,
    reasoning: ReasoningFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Ask a model as `stream` does, and keep what the server sent, without credentials.

    Two files are written: the body of the stream (.sse), for tests that read it as a fixture, and the whole exchange
    with its times (.jsonl), for `codex-client replay`. Look through both before you share them: the prompt and the
    answer are in them. Where several attempts were made the last one is kept.
    """
    if output.suffix.lower() not in (_BODY, _WHOLE):
        raise typer.BadParameter(f"{output} has another suffix; name it .sse, and .jsonl goes beside it")
    question = Question(
        text=prompt,
        file=file,
        instructions=instructions,
        effort=effort,
        verbosity=verbosity,
        schema=schema,
        max_output_tokens=max_output_tokens,
        images=image or (),
        reasoning=reasoning,
    )
    server = Server(model=model, provider=provider, base_url=base_url, wire_api=wire_api)
    guard(context, partial(_record, question=question, server=server, path=output, quiet=quiet))


def _record(around: Surroundings, *, question: Question, server: Server, path: Path, quiet: bool) -> None:
    _check_new(path)
    prompt = question.read(around)
    output = TextOutput(around, reasoning=question.reasoning, quiet=quiet)
    # Nobody else may look into it, and nothing of it stays.
    with TemporaryDirectory() as folder, told_warnings(around):
        recorder = Recorder(folder, NetworkTransport(around.clock), clock=around.clock)
        try:
            anyio.run(_ask, around, server, prompt, recorder, output, quiet)
        finally:
            # A turn that failed is worth a fixture as well.
            if recorder.recordings:
                _keep(around, recorder.recordings[-1], path, attempts=len(recorder.recordings))


async def _ask(
    around: Surroundings, server: Server, prompt: Prompt, recorder: Recorder, output: TextOutput, quiet: bool
) -> None:
    async with (
        client_over(recorder) as http,
        server.connect(around, http_client=http) as client,
    ):
        await show_turn(around, client.stream(prompt), output, quiet=quiet)


def _keep(around: Surroundings, recorded: Path, path: Path, *, attempts: int) -> None:
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
