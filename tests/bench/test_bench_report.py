"""The report of the benchmark: tables for a terminal, and the tables and plots of the documentation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import report
from bench.ratios import ratios
from bench.report import SECTIONS, MarkerError, marked, sections
from bench.result_file import merged, number
from bench.tables import Table, gateway, length, per_event, streams
from tests.support.bench_results import CPU_US, bench_results, rows_with

ROOT = Path(__file__).parent.parent.parent
PROSE = "# Performance\n\nBefore.\n\n{}\n\nAfter.\n"
MARKERS = "\n\nBetween.\n\n".join(
    f"<!-- bench: {name} -->\nold {name}\n<!-- end -->" for name in ("run", "goals", *SECTIONS)
)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / report.PAGE).write_text(PROSE.format(MARKERS), "utf-8")
    return tmp_path


@pytest.fixture
def plots() -> Any:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; it comes with the extra bench")
    from bench import plots

    return plots


def line_of(text: str, title: str, contender: str) -> list[str]:
    """The cells of a contender's line in the table of that title."""
    [block] = [block for block in text.split("\n\n") if block.startswith(f"{title}\n")]
    [line] = [line for line in block.splitlines() if line.startswith(f"{contender}  ")]
    return line.removeprefix(contender).split()


def test_each_number_stands_beside_its_ratio_to_ours():
    text = report.report(bench_results(), write_docs=False)
    title = "CPU per event in µs, one event per chunk"
    assert line_of(text, title, "codex_client") == ["10.0"] * 5
    assert line_of(text, title, "openai create") == ["210", "21.0×"] * 5
    assert line_of(text, title, "httpx bytes") == ["9.00", "0.90×"] * 5


def test_a_mode_is_compared_with_the_same_mode():
    results = bench_results()
    for row in rows_with(results, "length", contender="codex_client", mode="aggregate"):
        row["cpu_us"] = 26.0
    text = report.report(results, write_docs=False)
    title = "CPU per event in µs at so many events, Responses text"
    assert line_of(text, title, "openai stream, aggregate") == ["260", "10.0×"] * 5
    assert line_of(text, title, "openai stream, collect") == ["260", "26.0×"] * 5


def test_the_terminal_report_has_every_figure_within_120_columns():
    results = bench_results()
    results["length"] += [{**row, "events": row["events"] * 1_000} for row in results["length"]]
    results["meta"]["versions"] = dict.fromkeys((f"package-{number}" for number in range(20)), "1.2.3")
    results["meta"]["skipped"] = {"codex_client: idle": "why " * 70}
    results["idle"] = []
    text = report.report(results, write_docs=False)
    titles = [table.title for tables in SECTIONS.values() for table in tables(results)]
    assert len(titles) == 24
    assert [title for title in titles if f"\n{title}\n" not in text] == []
    assert max(map(len, text.splitlines())) < 120


def test_a_way_of_guarding_is_compared_with_the_unguarded_turn():
    text = report.report(bench_results(), write_docs=False)
    title = "CPU per event in µs under guards, Responses text"
    assert line_of(text, title, "codex_client, unguarded") == ["10.0"] * 3
    assert line_of(text, title, "codex_client, hold tail") == ["11.0", "1.10×"] * 3


def test_a_proxy_is_compared_with_the_gateway_and_no_proxy_only_where_it_has_a_number():
    text = report.report(bench_results(), write_docs=False)
    title = "CPU of a proxy per event in µs, one event per chunk"
    assert line_of(text, title, "codex_client gateway") == ["30.0"] * 6
    assert line_of(text, title, "litellm proxy") == ["600", "20.0×"] * 6
    [cpu, *_, per_second, memory] = gateway(bench_results())
    assert cpu.rows == memory.rows == ("codex_client gateway", "litellm proxy")
    assert per_second.rows == (*cpu.rows, "no proxy")


def test_columns_that_do_not_fit_stand_below_the_first_ones():
    wide = Table("wide", tuple(f"column {n:02}" + "-" * 20 for n in range(9)), ("one",), ((("1", "2×"),) * 9,))
    lines = wide.text().splitlines()
    assert [word for line in lines for word in line.split() if word.startswith("0")] == [
        f"{n:02}" + "-" * 20 for n in range(9)
    ]
    assert len([line for line in lines if line.startswith("one")]) == 3


def test_one_table_of_ratios_comes_first_and_stands_in_one_piece():
    text = report.report(bench_results(), write_docs=False)
    [table] = ratios(bench_results())
    block = text.split("\n\n")[2].splitlines()
    assert block[0] == table.title
    assert len(block) == 1 + 2 + len(table.rows)
    assert table.columns == tuple(name for name in CPU_US if name != "codex_client")
    assert len(table.rows) == 5 * 3 * 2 + 1 + 2 * 4 + 6


def test_a_ratio_is_the_cost_of_a_contender_over_ours_also_where_more_is_better():
    [table] = ratios(bench_results())
    cells = {
        (row, name): cell
        for row, line in zip(table.rows, table.cells, strict=True)
        for name, (cell, _) in zip(table.columns, line, strict=True)
    }
    assert cells["Chat text, paced, TLS", "openai create"] == "21.0×"
    assert cells["Responses text, one per chunk", "httpx bytes"] == "0.90×"
    assert cells["time per stream, 500 in flight", "httpx bytes"] == "7.50×"
    assert cells["CPU per stream, 500 in flight", "httpx bytes"] == "7.14×"
    assert cells["cold process to first event", "openai create"] == "5.00×"
    assert cells["cold process to first event", "aiohttp json"] == ""


def test_ratios_need_a_number_of_ours():
    results = bench_results()
    results["idle"] = [row for row in results["idle"] if row["contender"] != "codex_client"]
    results["delay"] = []
    [table] = ratios(results)
    assert [row for row in table.rows if row.startswith(("memory", "delay"))] == []
    assert ratios({"meta": {}}) == []


def test_what_was_not_measured_is_left_open():
    results = bench_results()
    [row] = rows_with(results, "concurrency", contender="httpx bytes", in_flight=1_000)
    results["concurrency"].remove(row)
    [per_second, _] = streams(results)
    assert "| httpx bytes | 80.0 (0.13×) | 80.0 (0.13×) | 80.0 (0.13×) | – |" in per_second.markdown()


def test_without_our_own_number_there_is_no_ratio():
    results = bench_results()
    results["per_event"] = [row for row in results["per_event"] if row["contender"] != "codex_client"]
    assert {ratio for table in per_event(results) for row in table.cells for _, ratio in row} == {""}


def test_contenders_stand_in_one_order_and_strangers_last():
    results = bench_results()
    results["length"].reverse()
    results["length"].append({**results["length"][0], "contender": "another"})
    [table] = length(results)
    modes = ("async for", "collect", "aggregate")
    ours, theirs = ([f"{name}, {mode}" for mode in modes] for name in ("codex_client", "openai stream"))
    assert table.rows == (*ours, *theirs, f"another, {results['length'][-1]['mode']}")
    assert table.columns == ("1,000", "5,000", "20,000", "80,000", "160,000")


@pytest.mark.parametrize(
    "value, text",
    [
        (1947.4, "1,947"),
        (99.96, "100"),
        (12.24, "12.2"),
        (9.996, "10.0"),
        (3.664, "3.66"),
        (0.0996, "0.10"),
        (0.041, "0.041"),
    ],
)
def test_a_number_shows_its_first_three_digits(value: float, text: str):
    assert number(value) == text


def test_an_empty_run_still_has_a_report():
    text = report.report({"meta": {}}, write_docs=False)
    assert "21 not measured" in text
    assert set(sections({"meta": {}})) == {"run", "goals", *SECTIONS}


def test_a_run_of_some_figures_takes_their_place_in_an_earlier_one():
    before, after = bench_results(), bench_results()
    before["meta"]["later"] = {"cold": before["meta"]["date"]}
    after = {"meta": {**after["meta"], "date": "2026-02-03T00:00:00+00:00"}, "idle": after["idle"][:1]}
    after["meta"]["skipped"] = {"litellm": "no"}
    both = merged(before, after)
    assert both["meta"] == {
        **before["meta"],
        "skipped": {"litellm": "no"},
        "later": {"cold": before["meta"]["date"], "idle": "2026-02-03T00:00:00+00:00"},
    }
    assert {name: rows for name, rows in both.items() if name != "meta"} == {
        name: after.get(name, rows) for name, rows in before.items() if name != "meta"
    }
    assert sections(both)["run"].endswith("codex_client 0.1.0, httpx 0.28.1, the figure idle on 2026-02-03.")


def test_a_quick_run_and_a_full_one_do_not_mix():
    quick = {"meta": {**bench_results()["meta"], "quick": True}, "idle": []}
    assert merged(bench_results(), quick) is quick


def test_what_lies_between_markers_is_rewritten_and_nothing_else(docs: Path):
    page = docs / report.PAGE
    before = page.read_text("utf-8")
    bodies = sections(bench_results())
    text = marked(before, bodies, page)
    assert "| **codex_client** | 10.0 |" in text
    assert "\nold " not in text
    for name, body in bodies.items():
        text = text.replace(
            f"<!-- bench: {name} -->\n\n{body}\n\n<!-- end -->", f"<!-- bench: {name} -->\nold {name}\n<!-- end -->"
        )
    assert text == before


def test_writing_twice_is_writing_once(docs: Path):
    page = docs / report.PAGE
    bodies = sections(bench_results())
    once = marked(page.read_text("utf-8"), bodies, page)
    assert marked(once, bodies, page) == once


@pytest.mark.parametrize("name", ["run", "goals", *SECTIONS])
def test_a_table_without_a_marker_is_named(name: str, docs: Path):
    page = docs / report.PAGE
    text = page.read_text("utf-8").replace(f"<!-- bench: {name} -->", "")
    with pytest.raises(MarkerError, match=rf"performance\.md: `<!-- bench: {name} -->` … `<!-- end -->` is missing$"):
        marked(text, sections(bench_results()), page)


def test_a_marker_without_its_end_is_named_and_swallows_no_other(docs: Path):
    page = docs / report.PAGE
    text = page.read_text("utf-8").replace("old goals\n<!-- end -->", "old goals\n")
    with pytest.raises(MarkerError, match=r"`<!-- bench: goals -->` … `<!-- end -->` is missing$"):
        marked(text, sections(bench_results()), page)


def test_a_marker_that_no_table_has_is_named(docs: Path):
    page = docs / report.PAGE
    with pytest.raises(MarkerError, match="`<!-- bench: colds -->` names no table"):
        marked(page.read_text("utf-8") + "<!-- bench: colds -->\n<!-- end -->\n", sections(bench_results()), page)


def test_a_marker_that_stands_there_twice_is_named(docs: Path):
    page = docs / report.PAGE
    text = page.read_text("utf-8") + "<!-- bench: cold -->\n<!-- end -->\n"
    with pytest.raises(MarkerError, match="`<!-- bench: cold -->` stands there twice"):
        marked(text, sections(bench_results()), page)


def test_a_page_without_a_marker_leaves_everything_as_it_was(docs: Path):
    page = docs / report.PAGE
    page.write_text("# Performance\n", "utf-8")
    with pytest.raises(MarkerError):
        report.report(bench_results(), write_docs=True, docs=docs)
    assert [path.name for path in docs.iterdir()] == [report.PAGE]
    assert page.read_text("utf-8") == "# Performance\n"


def test_the_page_of_the_documentation_has_every_marker_and_shows_every_plot():
    page = ROOT / "docs" / report.PAGE
    text = page.read_text("utf-8")
    assert marked(text, sections(bench_results()), page) != text
    shown = {line.rpartition("(performance/")[2].removesuffix(".svg)") for line in text.splitlines() if "![" in line}
    assert shown == {path.stem for path in (ROOT / "docs" / report.PLOTS).glob("*.svg")} != set()


def test_the_command_shows_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bench.json").write_text(json.dumps(bench_results()), "utf-8")
    assert report.main([str(tmp_path / "bench.json")]) == 0
    assert capsys.readouterr().out == report.report(bench_results(), write_docs=False) + "\n"


def test_the_command_says_what_is_wrong_with_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert report.main([str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err.endswith("none.json; run `make bench` to measure\n")


def test_report_and_goals_need_no_matplotlib():
    program = "import sys; sys.modules['matplotlib'] = None; import bench.report, bench.goals"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_the_same_results_give_the_same_plots(plots: Any, tmp_path: Path):
    first, second = (plots.draw(bench_results(), tmp_path / name) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert [path.stem for path in first] == list(plots.PLOTS)


def test_other_results_give_other_plots(plots: Any, tmp_path: Path):
    other = bench_results()
    for figure, key in [
        ("per_event", "cpu_us"),
        ("concurrency", "streams_per_s"),
        ("idle", "mib_per_1000"),
        ("length", "cpu_us"),
        ("cold", "first_event_ms"),
    ]:
        for row in rows_with(other, figure, contender="codex_client"):
            row[key] *= 1.5
    first, second = plots.draw(bench_results(), tmp_path / "first"), plots.draw(other, tmp_path / "second")
    assert [
        path.name for path, after in zip(first, second, strict=True) if path.read_bytes() == after.read_bytes()
    ] == []


def test_a_plot_is_small_and_says_nothing_of_when_it_was_drawn(plots: Any, tmp_path: Path):
    for path in plots.draw(bench_results(), tmp_path):
        assert path.stat().st_size < 60_000, path.name
        assert "dc:date" not in path.read_text("utf-8")


def test_a_plot_of_nothing_says_so(plots: Any, tmp_path: Path):
    for path in plots.draw({"meta": {}}, tmp_path):
        assert "not measured" in path.read_text("utf-8"), path.name


def test_labels_that_would_touch_are_moved_apart_in_their_order(plots: Any):
    moved = plots.apart({"c": 0.52, "a": 0.5, "b": 0.51, "far": 0.9}, 0.1)
    assert list(moved) == ["a", "b", "c", "far"]
    assert moved == pytest.approx({"a": 0.41, "b": 0.51, "c": 0.61, "far": 0.9})


def test_with_docs_the_page_and_the_plots_are_written(plots: Any, docs: Path):
    report.report(bench_results(), write_docs=True, docs=docs)
    assert "| **codex_client** | 10.0 |" in (docs / report.PAGE).read_text("utf-8")
    assert sorted(path.stem for path in (docs / report.PLOTS).iterdir()) == sorted(plots.PLOTS)
