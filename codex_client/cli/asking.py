"""What may be asked on the command line, and of whom: the options that several commands share, and what they make."""

from __future__ import annotations

import json
import mimetypes
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, cast, get_args

import typer

from codex_client import settings
from codex_client.api import HttpClient
from codex_client.cli.completion import provider_names
from codex_client.cli.output import warn
from codex_client.cli.surroundings import Surroundings
from codex_client.connecting import connect
from codex_client.errors import ConfigurationError
from codex_client.items import ContentPart, InputImage, InputText, Message
from codex_client.model_provider import WireApi
from codex_client.prompt import Effort, Prompt, ReasoningOptions, Verbosity
from codex_client.routed_client import RoutedApiClient

_STANDARD_INPUT = "-"
_EFFORTS, _VERBOSITIES = get_args(Effort), get_args(Verbosity)


def _efforts(incomplete: str) -> list[str]:
    return [each for each in _EFFORTS if each.startswith(incomplete)]


def _verbosities(incomplete: str) -> list[str]:
    return [each for each in _VERBOSITIES if each.startswith(incomplete)]


ModelOption: TypeAlias = Annotated[
    str | None, typer.Option("--model", "-m", metavar="NAME", help=f"The model; else {settings.MODEL.name}.")
]
ProviderOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--provider", metavar="NAME", help=f"Whom to ask; else {settings.PROVIDER.name}.", autocompletion=provider_names
    ),
]
BaseUrlOption: TypeAlias = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="The server's address, up to the API's own path.")
]
WireApiOption: TypeAlias = Annotated[
    WireApi | None, typer.Option("--wire-api", help="The API that the server speaks.", show_default=False)
]
PromptArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="PROMPT", help="What to ask. Without it, or with -, standard input.", show_default=False),
]
FileOption: TypeAlias = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="Take the prompt from a file.")
]
InstructionsOption: TypeAlias = Annotated[
    str | None, typer.Option("--instructions", "-i", metavar="TEXT", help="How the model is to behave.")
]
EffortOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--effort", metavar="EFFORT", help=f"How hard to think: {', '.join(_EFFORTS)}.", autocompletion=_efforts
    ),
]
VerbosityOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--verbosity",
        metavar="VERBOSITY",
        help=f"How much to say: {', '.join(_VERBOSITIES)}.",
        autocompletion=_verbosities,
    ),
]
SchemaOption: TypeAlias = Annotated[
    Path | None, typer.Option("--schema", metavar="FILE", help="A JSON schema that the answer has to fit.")
]
MaxOutputTokensOption: TypeAlias = Annotated[
    int | None, typer.Option("--max-output-tokens", min=1, metavar="N", help="Reasoning counts as well.")
]
ImagesOption: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--image", metavar="FILE", help="An image to ask about; may be given again.")
]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A prompt, as it was typed. `reasoning`: a summary of the model's thinking is wanted as well."""

    text: str | None
    file: Path | None = None
    instructions: str | None = None
    effort: str | None = None
    verbosity: str | None = None
    schema: Path | None = None
    max_output_tokens: int | None = None
    images: Sequence[Path] = ()
    reasoning: bool = False

    def read(self, around: Surroundings) -> Prompt:
        """The prompt, with what its files and standard input hold. Raises `ConfigurationError`, and
        `typer.BadParameter` for options that make none.
        """
        if self.text is not None and self.file is not None:
            raise typer.BadParameter("give the prompt as an argument or by --file, not both")
        parts: list[ContentPart] = [InputText(text=self._text(around)), *map(_image, self.images)]
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
        return text

    def _reasoning(self) -> ReasoningOptions | None:
        if self.effort is None and not self.reasoning:
            return None
        return ReasoningOptions(effort=self.effort, summary="auto" if self.reasoning else None)


@dataclass(frozen=True, kw_only=True)
class Server:
    """Whom to ask, as it was typed; what is None is told by the environment."""

    model: str | None = None
    provider: str | None = None
    base_url: str | None = None
    wire_api: WireApi | None = None

    def connect(self, around: Surroundings, *, http_client: HttpClient | None = None) -> RoutedApiClient:
        """A client, for who closes it."""
        if self.model is None and settings.MODEL.read() is None:
            raise ConfigurationError(f"no model given; give one by --model, or set {settings.MODEL.name}")
        return connect(
            self.model,
            provider=self.provider,
            base_url=self.base_url,
            wire_api=self.wire_api,
            http_client=http_client,
            clock=around.clock,
        )


@contextmanager
def told_warnings(around: Surroundings) -> Generator[None]:
    """The library's warnings as lines for people, without the place in the program that they came from."""

    def tell(message: Warning | str, *_: Any, **__: Any) -> None:
        warn(around.err, str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = tell
        yield


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
