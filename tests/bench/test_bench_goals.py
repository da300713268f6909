"""Every goal of the benchmark can be missed, and what was not measured is not taken for met."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench import goals
from bench.goals import GOALS, Outcome, Verdict, check
from bench.result_file import FIGURES
from tests.support.bench_results import bench_results, rows_with

TEXT = {"workload": "responses-text"}
CHAT = {"workload": "chat-text", "shape": "one-per-chunk", "tls": False}
ONE = {**TEXT, "shape": "one-per-chunk", "tls": False}
COALESCED = {**TEXT, "shape": "64k", "tls": False}
OVER_TLS = {**TEXT, "shape": "one-per-chunk", "tls": True}
PACED = {**TEXT, "shape": "paced", "tls": True}
COLLECT = {**TEXT, "mode": "collect"}
AIOHTTP = "codex_client aiohttp"
CHAT_OF_FIFTY = {"route": "Chat", "what": "stream", "in_flight": 50}
DELAY = "delay from frame bytes read to event handed out, median"

# In the order of the goals: the row of a figure that this goal alone looks at, and what its number becomes.
SPOILED = [
    ("per_event", {**ONE, "contender": "httpx bytes"}, "cpu_us", 7.9),
    ("per_event", {**ONE, "contender": "openai create"}, "cpu_us", 59.0),
    ("per_event", {**COALESCED, "contender": "openai create"}, "cpu_us", 199.0),
    ("per_event", {**COALESCED, "contender": "httpx-sse json"}, "cpu_us", 19.9),
    ("per_event", {**OVER_TLS, "contender": "codex_client"}, "cpu_us", 71.0),
    ("per_event", {**OVER_TLS, "contender": AIOHTTP}, "cpu_us", 14.1),
    ("per_event", {**PACED, "contender": "codex_client"}, "cpu_us", 127.0),
    ("per_event", {**PACED, "contender": AIOHTTP}, "cpu_us", 71.0),
    ("per_event", {**CHAT, "contender": "openai create"}, "cpu_us", 69.0),
    ("per_event", {**CHAT, "contender": "litellm"}, "cpu_us", 199.0),
    ("length", {**COLLECT, "contender": "openai stream", "events": 20_000}, "cpu_us", 99.0),
    ("length", {**COLLECT, "contender": "codex_client", "events": 160_000}, "cpu_us", 11.1),
    ("concurrency", {"contender": "openai create", "in_flight": 500}, "streams_per_s", 401.0),
    ("concurrency", {"contender": "httpx bytes", "in_flight": 500}, "streams_per_s", 121.0),
    ("concurrency", {"contender": "codex_client", "in_flight": 1_000}, "cpu_ms_per_stream", 1.83),
    ("idle", {"contender": "codex_client"}, "mib_per_1000", 33.9),
    ("cold", {"contender": "codex_client"}, "first_event_ms", 213.0),
    ("cold", {"contender": "httpx + pydantic"}, "import_ms", 89.9),
    ("delay", {"contender": "codex_client", "tls": True}, "median_us", 100.0),
    ("guards", {"contender": "codex_client", "guards": "hold tail", "shape": "one-per-chunk"}, "cpu_us", 12.6),
    ("gateway", {**CHAT_OF_FIFTY, "contender": "codex_client gateway"}, "cpu_us", 60.1),
]
each_goal = pytest.mark.parametrize(
    "goal, spoiled",
    list(zip(GOALS, SPOILED, strict=True)),
    ids=[goal.name.replace(" ", "-") for goal in GOALS],
)


def write(path: Path, results: dict[str, Any]) -> str:
    path.write_text(json.dumps(results), "utf-8")
    return str(path)


def with_number(number: object, figure: str, where: dict[str, Any], key: str) -> dict[str, Any]:
    results = bench_results()
    for row in rows_with(results, figure, **where):
        row[key] = number
    return results


def without(figure: str, where: dict[str, Any]) -> dict[str, Any]:
    results = bench_results()
    gone = rows_with(results, figure, **where)
    results[figure] = [row for row in results[figure] if row not in gone]
    return results


def outcomes_by_goal(results: dict[str, Any]) -> dict[str, Outcome]:
    return {outcome.goal.name: outcome for outcome in check(results)}


def test_a_run_that_reaches_every_goal_exits_with_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert goals.main([write(tmp_path / "bench.json", bench_results())]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len([line for line in shown if line.endswith("  met")]) == len(GOALS) == 21
    assert shown[-1] == "21 met, 0 missed, 0 not measured"


@each_goal
def test_one_worse_figure_misses_exactly_its_goal(goal: goals.Goal, spoiled: tuple[str, dict[str, Any], str, float]):
    figure, where, key, number = spoiled
    missed = [found.goal for found in check(with_number(number, figure, where, key)) if found.verdict is Verdict.MISSED]
    assert missed == [goal]


@each_goal
def test_a_missed_goal_is_shown_and_exits_with_one(
    goal: goals.Goal,
    spoiled: tuple[str, dict[str, Any], str, float],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    figure, where, key, number = spoiled
    assert goals.main([write(tmp_path / "bench.json", with_number(number, figure, where, key))]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert [line[: len(goal.name)] for line in shown if line.endswith("  missed")] == [goal.name]
    assert shown[-1] == "20 met, 1 missed, 0 not measured"


@each_goal
def test_a_goal_without_its_figure_is_not_measured_and_says_which(
    goal: goals.Goal, spoiled: tuple[str, dict[str, Any], str, float]
):
    figure, where, key, _ = spoiled
    outcome = outcomes_by_goal(without(figure, where))[goal.name]
    assert (outcome.verdict, outcome.measured) == (Verdict.NOT_MEASURED, None)
    assert outcome.why.startswith(f"no {figure}.{key} of contender {where['contender']}")


@pytest.mark.parametrize("number", [None, 0, -1.0, math.nan, math.inf, True, "12.2"], ids=str)
def test_a_number_that_is_none_is_not_measured(number: object):
    results = with_number(number, "per_event", {**ONE, "contender": "httpx bytes"}, "cpu_us")
    outcome = outcomes_by_goal(results)[GOALS[0].name]
    assert outcome.verdict is Verdict.NOT_MEASURED
    assert outcome.why.startswith(f"{number!r} for per_event.cpu_us of contender httpx bytes")


def test_a_figure_that_stands_there_twice_is_not_measured():
    results = bench_results()
    results["idle"] += copy.deepcopy(rows_with(results, "idle", contender="codex_client"))
    outcome = outcomes_by_goal(results)["memory per open idle stream: of openai create"]
    assert outcome.verdict is Verdict.NOT_MEASURED
    assert outcome.why == "2 rows for idle.mib_per_1000 of contender codex_client"


def test_a_contender_that_was_skipped_is_told_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    results = without("per_event", {"contender": "litellm"})
    results["meta"]["skipped"] = {"litellm": "not installed"}
    assert goals.main([write(tmp_path / "bench.json", results)]) == 2
    shown = capsys.readouterr().out
    assert "    litellm was skipped: not installed\n" in shown
    assert "20 met, 0 missed, 1 not measured\nrun `make bench` to measure what is missing\n" in shown


def test_a_figure_that_failed_is_told_with_its_reason():
    results = without("idle", {"contender": "codex_client"})
    results["meta"]["skipped"] = {"codex_client: idle": "too many open files", "openai create: idle": "no"}
    outcome = outcomes_by_goal(results)["memory per open idle stream: of openai create"]
    assert outcome.why == "no idle.mib_per_1000 of contender codex_client; codex_client: idle: too many open files"


def test_an_empty_run_has_measured_no_goal(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert goals.main([write(tmp_path / "bench.json", {"meta": {"quick": True}})]) == 2
    shown = capsys.readouterr().out
    assert "0 met, 0 missed, 21 not measured\n" in shown
    assert shown.endswith("this was a quick run; `make bench` without QUICK=1 decides\n")


def test_a_missed_goal_counts_before_one_that_is_not_measured(tmp_path: Path):
    results = without("delay", {"contender": "codex_client"})
    rows_with(results, "idle", contender="codex_client")[0]["mib_per_1000"] = 100.0
    assert goals.main([write(tmp_path / "bench.json", results)]) == 1


def test_the_delay_is_that_of_the_slower_of_plain_and_tls():
    for tls in (False, True):
        results = with_number(250.0, "delay", {"contender": "codex_client", "tls": tls}, "median_us")
        assert outcomes_by_goal(results)[DELAY].measured == 250.0


@pytest.mark.parametrize("events", [5_000, 20_000, 160_000])
def test_collect_is_not_flat_if_one_length_stands_out(events: int):
    results = with_number(12.0, "length", {**COLLECT, "contender": "codex_client", "events": events}, "cpu_us")
    assert outcomes_by_goal(results)[GOALS[11].name].verdict is Verdict.MISSED


@pytest.mark.parametrize("in_flight", [20, 100, 500, 1_000])
def test_cpu_per_stream_is_not_flat_if_one_number_in_flight_stands_out(in_flight: int):
    where = {"contender": "codex_client", "in_flight": in_flight}
    results = with_number(2.0, "concurrency", where, "cpu_ms_per_stream")
    assert outcomes_by_goal(results)[GOALS[14].name].verdict is Verdict.MISSED


@pytest.mark.parametrize(
    "sense, just_met, just_missed",
    [("at most", 2.0, 2.001), ("at least", 2.0, 1.999), ("under", 1.999, 2.0)],
)
def test_a_bound_itself_is_met_but_for_under(sense: str, just_met: float, just_missed: float):
    goal = goals.Goal("a goal", lambda _: 1.0, sense, 2.0)
    assert goal.is_met_by(just_met)
    assert not goal.is_met_by(just_missed)


def test_an_import_faster_than_its_base_is_shown():
    results = with_number(200.0, "cold", {"contender": "httpx + pydantic"}, "import_ms")
    outcome = outcomes_by_goal(results)["import, beyond `import httpx, pydantic`"]
    assert (outcome.verdict, outcome.goal.shown(-50.0)) == (Verdict.MET, "-50.0 ms")


def test_without_a_file_it_says_to_run_the_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert goals.main([str(tmp_path / "bench.json")]) == 2
    assert capsys.readouterr().err == f"there is no {tmp_path / 'bench.json'}; run `make bench` to measure\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"meta": {}',
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"meta": []}',
        b'{"meta": {"skipped": []}}',
        *(b'{"meta": {}, "%s": {}}' % figure.encode() for figure in FIGURES),
        b'{"meta": {}, "cold": [1]}',
        b'{"meta": {}, "cold": [{"import_ms": 1}]}',
    ],
)
def test_a_file_that_no_run_wrote_exits_with_two(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "bench.json"
    path.write_bytes(content)
    assert goals.main([str(path)]) == 2
    assert capsys.readouterr().err.endswith("run `make bench` to write it anew\n")


def test_a_folder_in_place_of_the_file_exits_with_two(tmp_path: Path):
    assert goals.main([str(tmp_path)]) == 2
