"""The plots of the documentation, as SVG. The same results give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.contenders import CODEX
from bench.result_file import CONTENDERS, SHAPES, WORKLOADS, Results, Row, in_order, is_measured, number
from bench.tables import SHAPE_NAMES, workload_name

# Text stays text, and no random ids and no date: small files that differ only where numbers do.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": CODEX,
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8f98",
    "axes.labelcolor": "#4a4f57",
    "xtick.color": "#6a6f77",
    "ytick.color": "#4a4f57",
    "grid.color": "#e6e8eb",
    "axes.axisbelow": True,
}
WITHOUT_DATE = {"Date": None, "Creator": None}
# codex_client in the strong hue, the libraries in warm ones, loops written by hand in quiet ones.
COLOURS = {
    "codex_client": "#0a58ca",
    "codex_client aiohttp": "#5aa2f7",
    "httpx bytes": "#9aa0a8",
    "httpx-sse json": "#b0894f",
    "httpx-sse pydantic": "#7d6136",
    "aiohttp json": "#3f9170",
    "openai create": "#d9482b",
    "openai stream": "#8f2115",
    "litellm": "#8a4fb0",
    "httpx + pydantic": "#9aa0a8",
}
OTHER = "#555555"
WIDE = 9.0  # inches: the column of the page
ROW = 0.2
MODES = {"async for": "-", "collect": "--", "aggregate": ":"}
LABEL_HEIGHT = 0.065  # of the height of a panel
PLAIN = FuncFormatter(lambda value, _: f"{value:,g}" if value < 1000 else f"{value:,.0f}")


def draw(results: Results, folder: Path) -> list[Path]:
    """Write every plot into the folder, made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with mpl.rc_context(STYLE):
        for name, plot in PLOTS.items():
            written.append(folder / f"{name}.svg")
            plot(results).savefig(written[-1], format="svg", metadata=WITHOUT_DATE)
    return written


def transports(results: Results) -> Figure:
    """CPU per event of Responses text: a row without and one with TLS, a column for each shape."""
    rows = [row for row in results.get("per_event", []) if row["workload"] == "responses-text"]
    panels = [
        (
            f"{SHAPE_NAMES[shape]}{', TLS' if tls else ''}",
            [row for row in rows if (row["shape"], row["tls"]) == (shape, tls)],
        )
        for tls in (False, True)
        for shape in SHAPES
    ]
    return _bars("CPU µs per event", panels, "cpu_us", across=len(SHAPES))


def workloads(results: Results) -> Figure:
    """CPU per event of each workload, one event per chunk, without TLS."""
    rows = [row for row in results.get("per_event", []) if (row["shape"], row["tls"]) == ("one-per-chunk", False)]
    panels = [(workload_name(workload), [row for row in rows if row["workload"] == workload]) for workload in WORKLOADS]
    return _bars("CPU µs per event", panels, "cpu_us", across=3)


def memory(results: Results) -> Figure:
    idle = [{**row, "mib": row.get("mib_per_1000")} for row in results.get("idle", [])]
    peak = results.get("peak", [])
    panels = [("1,000 open idle streams", idle)]
    panels += [
        (f"peak, {workload_name(workload)}", [row for row in peak if row["workload"] == workload])
        for workload in in_order([row["workload"] for row in peak], WORKLOADS)
    ]
    return _bars("MiB", panels, "mib", across=min(3, len(panels)))


def cold(results: Results) -> Figure:
    rows = results.get("cold", [])
    panels = [
        (title, [{"contender": row["contender"], "ms": row.get(key)} for row in rows])
        for title, key in (("start to first event", "first_event_ms"), ("import alone", "import_ms"))
    ]
    return _bars("milliseconds", panels, "ms", across=2)


def streams(results: Results) -> Figure:
    rows = results.get("concurrency", [])
    figure = Figure(figsize=(WIDE, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _lines(left, rows, x="in_flight", y="streams_per_s", label=lambda row: row["contender"])
    _name(left, "streams per second", "streams in flight", "streams per second")
    _lines(right, rows, x="in_flight", y="cpu_ms_per_stream", label=lambda row: row["contender"])
    _name(right, "CPU per stream", "streams in flight", "CPU ms per stream")
    return figure


def length(results: Results) -> Figure:
    """A panel for each workload that was read in more than one length."""
    rows = results.get("length", [])
    lengths = {(row["workload"], row["events"]) for row in rows}
    names = [name for name in WORKLOADS if sum(workload == name for workload, _ in lengths) > 1] or WORKLOADS[:1]
    figure = Figure(figsize=(WIDE, 3.8), layout="constrained")
    for axes, workload in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        here = [row for row in rows if row["workload"] == workload]
        _lines(axes, here, x="events", y="cpu_us", label=lambda row: f"{row['contender']}, {row['mode']}")
        _name(axes, workload_name(workload), "events in the stream", "CPU µs per event")
    return figure


PLOTS: dict[str, Callable[[Results], Figure]] = {
    "transports": transports,
    "workloads": workloads,
    "streams": streams,
    "memory": memory,
    "length": length,
    "cold": cold,
}


def _bars(unit: str, panels: Sequence[tuple[str, list[Row]]], key: str, *, across: int) -> Figure:
    """Panels of horizontal bars, each with its own scale and all with the same contenders on the same lines."""
    measured = [row["contender"] for _, rows in panels for row in rows if is_measured(row.get(key))]
    contenders = in_order(measured, CONTENDERS)
    down = -(-len(panels) // across)
    height = down * (ROW * max(len(contenders), 3) + 0.75)
    figure = Figure(figsize=(WIDE, height), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True).flat
    for axes, (title, rows) in zip(grid, panels, strict=False):
        _bar_panel(axes, title, {row["contender"]: row[key] for row in rows if is_measured(row.get(key))}, contenders)
        axes.set_xlabel(unit)
    for axes in list(figure.axes)[len(panels) :]:
        axes.set_visible(False)
    return figure


def _bar_panel(axes: Axes, title: str, values: dict[str, float], contenders: Sequence[str]) -> None:
    axes.set_title(title, loc="left", fontweight="bold", color="#30343b")
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", left=False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(PLAIN)
    axes.set_yticks(range(len(contenders)), contenders)
    axes.set_ylim(len(contenders) - 0.4, -0.6)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == CODEX else "normal")
    for place, contender in enumerate(contenders):
        value = values.get(contender, 0)
        axes.barh(place, value, height=0.7, color=COLOURS.get(contender, OTHER))
        axes.annotate(
            number(value) if value else "–",
            (value, place),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold" if contender == CODEX else "normal",
            color="#30343b",
        )
    axes.set_xlim(0, 1.22 * max(values.values(), default=1))
    if not values:
        _say_not_measured(axes)


def _lines(axes: Axes, rows: Sequence[Row], *, x: str, y: str, label: Callable[[Row], str]) -> None:
    """A line for each label on logarithmic axes, its name at its right end."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in sorted(rows, key=lambda row: row[x]):
        if is_measured(row.get(y)):
            lines.setdefault(label(row), []).append((row[x], row[y]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid()
    for name, points in lines.items():
        _line(axes, name, points)
    _ticks(axes, sorted({point[0] for points in lines.values() for point in points}))
    if lines:
        _end_labels(axes, {name: points[-1] for name, points in lines.items()})
    else:
        _say_not_measured(axes)


def _line(axes: Axes, name: str, points: Sequence[tuple[float, float]]) -> None:
    contender, _, mode = name.partition(", ")
    strong = contender == CODEX
    axes.plot(
        [point[0] for point in points],
        [point[1] for point in points],
        color=COLOURS.get(contender, OTHER),
        linewidth=2.4 if strong else 1.3,
        linestyle=MODES.get(mode, "-"),
        marker="o",
        markersize=4.5 if strong else 3,
        zorder=3 if strong else 2,
    )


def _end_labels(axes: Axes, ends: dict[str, tuple[float, float]]) -> None:
    """Names beside the right ends of their lines, moved apart where they would touch."""
    to_axes = axes.transData + axes.transAxes.inverted()
    places = {name: tuple(map(float, to_axes.transform(end))) for name, end in ends.items()}
    heights = {name: height for name, (_, height) in places.items()}
    for name, height in apart(heights, LABEL_HEIGHT).items():
        contender = name.partition(", ")[0]
        axes.annotate(
            name,
            ends[name],
            (places[name][0] + 0.08, height),
            textcoords="axes fraction",
            va="center",
            color=COLOURS.get(contender, OTHER),
            fontweight="bold" if contender == CODEX else "normal",
            arrowprops={"arrowstyle": "-", "color": COLOURS.get(contender, OTHER), "linewidth": 0.6, "shrinkA": 1},
            annotation_clip=False,
        )


def apart(heights: dict[str, float], gap: float) -> dict[str, float]:
    """The heights in rising order, at least `gap` between neighbours, moved as a pile around their middle."""
    piles: list[list[str]] = []
    for name in sorted(heights, key=lambda name: (heights[name], name)):
        piles.append([name])
        while len(piles) > 1 and _bottom(piles[-1], heights, gap) < _top(piles[-2], heights, gap) + gap:
            above = piles.pop()
            piles[-1] += above
    return {name: _bottom(pile, heights, gap) + gap * place for pile in piles for place, name in enumerate(pile)}


def _bottom(pile: Sequence[str], heights: dict[str, float], gap: float) -> float:
    return sum(heights[name] for name in pile) / len(pile) - gap * (len(pile) - 1) / 2


def _top(pile: Sequence[str], heights: dict[str, float], gap: float) -> float:
    return _bottom(pile, heights, gap) + gap * (len(pile) - 1)


def _ticks(axes: Axes, places: Sequence[float]) -> None:
    """On x what was measured, but for places too near the next; on y 1, 2 and 5 of each decade."""
    step = (places[-1] / places[0]) ** 0.15 if places else 1
    following = [*places, math.inf][1:]
    axes.set_xticks([here for here, after in zip(places, following, strict=True) if after > here * step])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}")
    )
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PLAIN)


def _name(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold", color="#30343b")
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _say_not_measured(axes: Axes) -> None:
    axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", color=OTHER)
