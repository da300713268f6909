"""What the shapes of both APIs share: the base of every object, the scalars, metadata."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag


class Shape(BaseModel):
    """An object whose keys are all known, and whose values are of their type without being converted."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


S = TypeVar("S", bound=Shape)


def needs_one_of(shape: S, *names: str) -> S:
    if not any(getattr(shape, name) for name in names):
        raise ValueError(f"one of {', '.join(names)} is needed")
    return shape


# The default of a field that may be left out but not be null.
LEFT_OUT: Any = None

Part = TypeVar("Part")


def _form(value: Any) -> str:
    return "text" if isinstance(value, str) else "list"


# One string, or a list. Told apart first, so that a fault in a list is not reported as "no string" as well.
TextOrList: TypeAlias = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[Part], Tag("list")], Discriminator(_form)
]

Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
TokenCount = Annotated[int, Field(ge=1)]
Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
    Field(max_length=16),
]

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
Detail = Literal["low", "high", "auto", "original"]
CacheRetention = Literal["in_memory", "24h"]


class CacheBreakpoint(Shape):
    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] = LEFT_OUT


class CacheOptions(Shape):
    comparison_response_id: str | None = None
    mode: Literal["implicit", "explicit"] = LEFT_OUT
    prewarm: bool = LEFT_OUT
    ttl: Literal["30m", "12h"] = LEFT_OUT
