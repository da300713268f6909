"""What is asked on the command line: the options that `stream` and `record` share, and the prompt that they make."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, cast

import typer

from codex_client.cli.surroundings import Surroundings
from codex_client.errors import ConfigurationError
from codex_client.items import ContentPart, InputImage, InputText, Message
from codex_client.models import EFFORTS, VERBOSITIES
from codex_client.prompt import Prompt, ReasoningOptions

_STANDARD_INPUT = "-"


def _efforts(incomplete: str) -> list[str]:
    return [each for each in EFFORTS if each.startswith(incomplete)]


def _verbosities(incomplete: str) -> list[str]:
    return [each for each in VERBOSITIES if each.startswith(incomplete)]


ReasoningFlag: TypeAlias = Annotated[
    bool, typer.Option("--reasoning", "-r", help="Show the reasoning as well, on standard error.")
]
QuietFlag: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no usage.")]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A prompt, as it was typed. `reasoning`: a summary of the model's thinking is wanted as well."""

    text: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT", help="What to ask. Without it, or with -, standard input.", show_default=False
        ),
    ] = None
    file: Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE", help="Take the prompt from a file.")] = (
        None
    )
    instructions: Annotated[
        str | None, typer.Option("--instructions", "-i", metavar="TEXT", help="How the model is to behave.")
    ] = None
    effort: Annotated[
        str | None,
        typer.Option(
            "--effort", metavar="EFFORT", help=f"How hard to think: {', '.join(EFFORTS)}.", autocompletion=_efforts
        ),
    ] = None
    verbosity: Annotated[
        str | None,
        typer.Option(
            "--verbosity",
            metavar="VERBOSITY",
            help=f"How much to say: {', '.join(VERBOSITIES)}.",
            autocompletion=_verbosities,
        ),
    ] = None
    schema: Annotated[
        Path | None, typer.Option("--schema", metavar="FILE", help="A JSON schema that the answer has to fit.")
    ] = None
    max_output_tokens: Annotated[
        int | None, typer.Option("--max-output-tokens", min=1, metavar="N", help="Reasoning counts as well.")
    ] = None
    images: Annotated[
        list[Path] | None, typer.Option("--image", metavar="FILE", help="An image to ask about; may be given again.")
    ] = None
    reasoning: ReasoningFlag = False

    def read(self, around: Surroundings) -> Prompt:
        """The prompt, with what its files and standard input hold. Raises `ConfigurationError`, and
        `typer.BadParameter` for options that make none.
        """
        if self.text is not None and self.file is not None:
            raise typer.BadParameter("give the prompt as an argument or by --file, not both")
        parts: list[ContentPart] = [InputText(text=self._text(around)), *map(_image, self.images or ())]
        return Prompt(
            [Message.user(*parts)],
            instructions=self.instructions or "",
            output_schema=None if self.schema is None else _schema(self.schema),
            reasoning=self._reasoning(),
            verbosity=self.verbosity,
            max_output_tokens=self.max_output_tokens,
        )

    def _text(self, around: Surroundings) -> str:
        if self.file is not None:
            text = read_text(self.file)
        elif self.text is None or self.text == _STANDARD_INPUT:
            if self.text is None and around.input.isatty():
                raise typer.BadParameter("what shall be asked? Give a prompt, --file, or something on standard input")
            text = _standard_input(around)
        else:
            text = self.text
        if not text.strip():
            raise ConfigurationError("the prompt is empty; give some text")
        if not _is_whole(text):
            raise ConfigurationError("the prompt has bytes that are no text in this terminal's encoding; convert it")
        return text

    def _reasoning(self) -> ReasoningOptions | None:
        if self.effort is None and not self.reasoning:
            return None
        return ReasoningOptions(effort=self.effort, summary="auto" if self.reasoning else None)


def read_text(path: Path) -> str:
    """All of a file. Raises `ConfigurationError`."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is no UTF-8 text (byte {error.start}); convert it") from None
    except OSError as error:
        raise unread(path, error) from None


def unread(path: Path, error: OSError) -> ConfigurationError:
    """The error for a file that could not be read."""
    return ConfigurationError(f"{path} could not be read: {error.strerror or type(error).__name__}; check its name")


def _is_whole(text: str) -> bool:
    """Whether it holds none of the bytes that Python carries along in arguments and standard input undecoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _standard_input(around: Surroundings) -> str:
    try:
        return around.input.read()
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"standard input is no {error.encoding} text (byte {error.start}); convert it"
        ) from None


def _image(path: Path) -> InputImage:
    media_type = mimetypes.guess_type(path.name)[0] or ""
    if not media_type.startswith("image/"):
        raise ConfigurationError(f"{path} has no name of an image; let it end with .png, .jpg, .webp or .gif")
    try:
        return InputImage.from_bytes(path.read_bytes(), media_type)
    except OSError as error:
        raise unread(path, error) from None


def _schema(path: Path) -> dict[str, Any]:
    try:
        schema: object = json.loads(read_text(path))
    except ValueError as error:
        raise ConfigurationError(f"{path} is no JSON ({error}); write a JSON schema of an object") from None
    if not isinstance(schema, dict):
        raise ConfigurationError(f"{path} holds no JSON object; write a JSON schema of an object")
    return cast("dict[str, Any]", schema)
