"""The tables of a report: one for each figure, each number beside its ratio to codex_client's in the same column."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.contenders import CODEX
from bench.contenders.base import GUARDS
from bench.proxies import GATEWAY
from bench.result_file import CONTENDERS, MODES, SHAPES, WIDTH, WORKLOADS, Results, Row, in_order, is_measured, number

SHAPE_NAMES = {"one-per-chunk": "one event per chunk", "64k": "64 KiB chunks", "paced": "paced"}
WORKLOAD_NAMES = {
    "responses-text": "Responses text",
    "responses-tools": "Responses tools",
    "responses-reasoning": "Responses reasoning",
    "chat-text": "Chat text",
    "chat-tools": "Chat tools",
}

Names = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """`cells[row][column]` is the number and its ratio as one text each, both empty where nothing was measured."""

    title: str
    columns: Names
    rows: Names
    cells: tuple[tuple[tuple[str, str], ...], ...]

    def text(self) -> str:
        """For a terminal: at most WIDTH wide, with further columns below the first ones."""
        width = max(map(len, self.rows))
        blocks = [self._block(columns, width) for columns in self._columns_that_fit(WIDTH - width)]
        return "\n".join([self.title, *blocks])

    def _columns_that_fit(self, space: int) -> list[list[int]]:
        fitting: list[list[int]] = [[]]
        left = space
        for index in range(len(self.columns)):
            needed = 2 + max(self._width(index), *map(len, self._head(index)))
            if needed > left and fitting[-1]:
                fitting.append([])
                left = space
            fitting[-1].append(index)
            left -= needed
        return fitting

    def _head(self, column: int) -> list[str]:
        """Its lines, as many as it takes not to be wider than what is below it, if its words allow that."""
        return textwrap.wrap(self.columns[column], max(self._width(column), *map(len, self.columns[column].split())))

    def _width(self, column: int) -> int:
        first, second = self._widths(column)
        return first + (2 + second if second else 0)

    def _widths(self, column: int) -> tuple[int, int]:
        return (
            max(len(row[column][0]) for row in self.cells),
            max(len(row[column][1]) for row in self.cells),
        )

    def _block(self, columns: Sequence[int], width: int) -> str:
        heads = [self._head(column) for column in columns]
        height = max(map(len, heads))
        lines = [" " * width] * height
        lines += [name.ljust(width) for name in self.rows]
        for column, head in zip(columns, heads, strict=True):
            first, second = self._widths(column)
            texts = [""] * (height - len(head)) + head
            texts += [f"{row[column][0]:>{first}}{row[column][1]:>{second + 2 if second else 0}}" for row in self.cells]
            wide = max(map(len, texts))
            lines = [f"{line}  {text:>{wide}}" for line, text in zip(lines, texts, strict=True)]
        return "\n".join(line.rstrip() for line in lines)

    def markdown(self) -> str:
        lines = ["| | " + " | ".join(self.columns) + " |", "|---|" + "---:|" * len(self.columns)]
        for name, row in zip(self.rows, self.cells, strict=True):
            cells = [f"{value} ({ratio})" if ratio else value or "–" for value, ratio in row]
            emphasis = "**" if name.startswith(CODEX) else ""
            lines.append(f"| {emphasis}{name}{emphasis} | " + " | ".join(cells) + " |")
        return "\n".join([f"**{self.title}**", "", *lines])


Label = Callable[[Row], Any]


def pivot(
    title: str,
    rows: Iterable[Row],
    *,
    key: str,
    column: Label,
    columns: Sequence[Any] = (),
    row: Label = lambda row: row["contender"],
    reference: Callable[[Any], Any] = lambda _: CODEX,
    show: Callable[[Any], str] = str,
) -> Table | None:
    """`key` of each row, one line per contender; None where no row has it. `columns` is the order of those known,
    `reference(line)` the line that a line is compared with, `show` turns what heads a line or a column into text.
    """
    values = {(row(entry), column(entry)): float(entry[key]) for entry in rows if is_measured(entry.get(key))}
    if not values:
        return None
    lines = in_order(sorted({line for line, _ in values}, key=_place), ())
    heads = in_order([head for _, head in values], columns or sorted({head for _, head in values}))
    cells = tuple(tuple(_cell(values, line, reference(line), head) for head in heads) for line in lines)
    return Table(title, tuple(map(show, heads)), tuple(map(_line_name, lines)), cells)


def _place(line: Any) -> tuple[int, str, int]:
    contender, mode = line if isinstance(line, tuple) else (line, "")
    return _index(CONTENDERS, contender), contender, _index(MODES, mode)


def _index(known: Sequence[str], name: str) -> int:
    return known.index(name) if name in known else len(known)


def _line_name(line: Any) -> str:
    return ", ".join(line) if isinstance(line, tuple) else line


def _cell(values: dict[tuple[Any, Any], float], line: Any, reference: Any, head: Any) -> tuple[str, str]:
    value, base = values.get((line, head)), values.get((reference, head))
    if value is None:
        return "", ""
    return number(value), f"{number(value / base)}×" if base and line != reference else ""


def per_event(results: Results) -> list[Table]:
    """CPU µs per event: one table for each shape and with and without TLS, a column for each workload."""
    rows = results.get("per_event", [])
    settings = in_order(
        [(row["shape"], row["tls"]) for row in rows], [(s, tls) for s in SHAPES for tls in (False, True)]
    )
    tables = [
        pivot(
            f"CPU per event in µs, {SHAPE_NAMES.get(shape, shape)}{', TLS' if tls else ''}",
            [row for row in rows if (row["shape"], row["tls"]) == (shape, tls)],
            key="cpu_us",
            column=lambda row: row["workload"],
            columns=WORKLOADS,
            show=workload_name,
        )
        for shape, tls in settings
    ]
    return _present(tables)


def throughput(results: Results) -> list[Table]:
    return _present(
        [
            pivot(
                "events per CPU second, Responses text",
                [row for row in results.get("per_event", []) if row["workload"] == "responses-text"],
                key="events_per_cpu_s",
                column=lambda row: f"{SHAPE_NAMES.get(row['shape'], row['shape'])}{', TLS' if row['tls'] else ''}",
                columns=[f"{name}{tls}" for name in SHAPE_NAMES.values() for tls in ("", ", TLS")],
            )
        ]
    )


def first_event(results: Results) -> list[Table]:
    return _present(
        [
            pivot(
                "from the first byte sent to the first event in ms, one event per chunk",
                [row for row in results.get("per_event", []) if (row["shape"], row["tls"]) == ("one-per-chunk", False)],
                key="first_event_ms",
                column=lambda row: row["workload"],
                columns=WORKLOADS,
                show=workload_name,
            )
        ]
    )


def streams(results: Results) -> list[Table]:
    titles = {
        "streams_per_s": "streams per second at so many in flight (more is better)",
        "cpu_ms_per_stream": "CPU per stream in ms at so many in flight",
    }
    rows = results.get("concurrency", [])
    return _present(
        [
            pivot(title, rows, key=key, column=lambda row: row["in_flight"], show=lambda n: f"{n:,}")
            for key, title in titles.items()
        ]
    )


def memory(results: Results) -> list[Table]:
    return _present(
        [
            pivot(
                "memory of open idle streams in MiB per 1,000",
                results.get("idle", []),
                key="mib_per_1000",
                column=lambda row: f"{row['streams']:,} open",
            ),
            pivot(
                "peak memory of a process that reads one long stream, in MiB",
                results.get("peak", []),
                key="mib",
                column=lambda row: row["workload"],
                columns=WORKLOADS,
                show=workload_name,
            ),
        ]
    )


def length(results: Results) -> list[Table]:
    """One table for each workload. A contender's line is compared with codex_client's in the same mode."""
    rows = results.get("length", [])
    return _present(
        [
            pivot(
                f"CPU per event in µs at so many events, {workload_name(workload)}",
                [row for row in rows if row["workload"] == workload],
                key="cpu_us",
                row=lambda row: (row["contender"], row["mode"]),
                column=lambda row: row["events"],
                reference=lambda line: (CODEX, line[1]),
                show=lambda n: f"{n:,}",
            )
            for workload in in_order([row["workload"] for row in rows], WORKLOADS)
        ]
    )


def cold(results: Results) -> list[Table]:
    return _wide(
        "cold process",
        results.get("cold", []),
        {"import_ms": "import, ms", "modules": "modules", "first_event_ms": "to the first event, ms"},
    )


def guards(results: Results) -> list[Table]:
    """Each way of guarding is compared with the unguarded turn."""
    unguarded, *_ = GUARDS
    return _present(
        [
            pivot(
                "CPU per event in µs under guards, Responses text",
                results.get("guards", []),
                key="cpu_us",
                row=lambda row: (row["contender"], row["guards"]),
                column=lambda row: row["shape"],
                columns=SHAPES,
                reference=lambda line: (line[0], unguarded),
                show=_shape_name,
            )
        ]
    )


def gateway(results: Results) -> list[Table]:
    """Each number of a proxy is compared with the gateway's."""
    tables = (
        ("CPU of a proxy per event in µs, one event per chunk", "stream", "cpu_us"),
        ("CPU of a proxy per event in µs, paced", "paced", "cpu_us"),
        ("CPU of a proxy per turn of 20 events in ms", "turn", "cpu_ms_per_stream"),
        ("added to the time to the first event, in ms", "turn", "added_ms"),
        ("turns of 20 events per second (more is better)", "turn", "streams_per_s"),
        ("events per second, one event per chunk (more is better)", "stream", "events_per_s"),
        ("memory of a proxy, in MiB", "stream", "mib"),
    )
    rows = results.get("gateway", [])
    return _present(
        [_by_route(title, [row for row in rows if row["what"] == what], key) for title, what, key in tables]
    )


def _by_route(title: str, rows: Sequence[Row], key: str) -> Table | None:
    return pivot(
        title,
        rows,
        key=key,
        column=lambda row: (row["route"], row["in_flight"]),
        columns=list(dict.fromkeys((row["route"], row["in_flight"]) for row in rows)),
        reference=lambda _: GATEWAY,
        show=lambda column: f"{column[0]}, {column[1]} in flight",
    )


def delay(results: Results) -> list[Table]:
    tables: list[Table] = []
    for tls in (False, True):
        tables += _wide(
            f"delay from frame bytes read to event handed out{', TLS' if tls else ''}",
            [row for row in results.get("delay", []) if row["tls"] is tls],
            {"median_us": "median, µs", "p99_us": "99th percentile, µs"},
        )
    return tables


def _wide(title: str, rows: Sequence[Row], columns: dict[str, str]) -> list[Table]:
    """A table with a column for each of several numbers of a row."""
    tall = [
        {"contender": row["contender"], "name": name, "value": row.get(key)}
        for row in rows
        for key, name in columns.items()
    ]
    return _present([pivot(title, tall, key="value", column=lambda row: row["name"], columns=list(columns.values()))])


def _present(tables: Iterable[Table | None]) -> list[Table]:
    return [table for table in tables if table is not None]


def _shape_name(shape: str) -> str:
    return SHAPE_NAMES.get(shape, shape)


def workload_name(workload: str) -> str:
    return WORKLOAD_NAMES.get(workload, workload)


# The figure's marker on the page, and what makes its tables.
TABLES: dict[str, Callable[[Results], list[Table]]] = {
    "per-event": per_event,
    "throughput": throughput,
    "first-event": first_event,
    "streams": streams,
    "memory": memory,
    "length": length,
    "cold": cold,
    "delay": delay,
    "guards": guards,
    "gateway": gateway,
}
