"""The soak test's own checks: what goes astray or grows is seen, and what is well is left alone."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from codex_client.errors import InvalidRequestError, ProtocolError, ReadError, RetryLimitError, ServerError
from codex_client.testing import RecordedRequest
from tests.soak.__main__ import parse_options, runs_of
from tests.soak.accounting import Ending, Ledger, Outcome, fault_of
from tests.soak.gateway_calls import CallOutcome, fault_of as gateway_fault_of, gateway_for
from tests.soak.growth import Growth, Sample, closed_growth, load_growth, quiet_growth
from tests.soak.plans import FATES, Behaviour, Plan, Scenario, calm_plan, draw_plan, plan_of_body, slow_plan
from tests.soak.replies import Answers, build_reply

PLAN = replace(calm_plan(4), name="soak-4")
CUT = replace(PLAN, scenario=Scenario.CUT)
BROKEN = replace(PLAN, scenario=Scenario.SERVER_FAULT)
BREAKING = replace(PLAN, behaviour=Behaviour.BREAK)
WHOLE = Outcome(Ending.COMPLETED, PLAN.text)
FOREIGN = PLAN.text.replace("soak-4.2", "soak-5.2")
QUIET = Sample(
    streams=1000, files=212, sockets=203, tasks=1, blocks=300_000, heap_bytes=14_000_000, rss_bytes=90_000_000
)


@pytest.mark.parametrize(
    "plan, outcome",
    [
        (PLAN, WHOLE),
        (CUT, WHOLE),
        (CUT, Outcome(Ending.FAILED, PLAN.text[:15], ReadError("broke"))),
        (CUT, Outcome(Ending.FAILED, None, RetryLimitError("thrice", attempts=3, last_error=ProtocolError("broke")))),
        (BROKEN, Outcome(Ending.FAILED, None, ServerError("500"))),
        (BROKEN, Outcome(Ending.FAILED, None, RetryLimitError("5", last_error=ReadError("stale")))),
        (BREAKING, Outcome(Ending.LEFT, PLAN.text[:15])),
        (BREAKING, WHOLE),
    ],
)
def test_an_end_that_the_plan_allows_is_no_fault(plan: Plan, outcome: Outcome) -> None:
    assert fault_of(plan, outcome) is None


@pytest.mark.parametrize(
    "plan, outcome, fault",
    [
        (PLAN, Outcome(Ending.ASTRAY, astray="raised KeyError()"), "raised KeyError()"),
        (PLAN, Outcome(Ending.COMPLETED, FOREIGN), "completed with another text: .* from 23 on '5.2"),
        (PLAN, Outcome(Ending.COMPLETED, PLAN.text[:-1]), "completed with another text"),
        (PLAN, Outcome(Ending.COMPLETED), "completed with another text"),
        (CUT, Outcome(Ending.FAILED, FOREIGN[:30], ReadError("broke")), "failed with another text"),
        (BREAKING, Outcome(Ending.LEFT, FOREIGN[:30]), "left with another text"),
        (PLAN, Outcome(Ending.FAILED, "", ReadError("broke")), "failed with ReadError"),
        (BROKEN, Outcome(Ending.FAILED, "", ReadError("broke")), "failed with ReadError"),
        (PLAN, Outcome(Ending.FAILED, "", RetryLimitError("5", last_error=ReadError("broke"))), "RetryLimitError"),
        (BROKEN, Outcome(Ending.FAILED, "", RetryLimitError("5", last_error=InvalidRequestError("400"))), "RetryLimit"),
        (BROKEN, WHOLE, "completed, although"),
        (PLAN, Outcome(Ending.LEFT, ""), "nobody left it"),
    ],
)
def test_any_other_end_is_a_fault(plan: Plan, outcome: Outcome, fault: str) -> None:
    ledger = Ledger()
    ledger.start()
    ledger.end(plan, outcome)
    told = ledger.problems()[0]
    assert told.startswith(f"soak-4 (responses, {plan.scenario}, {plan.behaviour}): ")
    assert re.search(fault, told)


def test_a_ledger_in_which_all_is_accounted_for_has_no_problems() -> None:
    ledger = Ledger()
    for plan, outcome in [(PLAN, WHOLE), (BROKEN, Outcome(Ending.FAILED, None, ServerError("500")))]:
        ledger.start()
        ledger.end(plan, outcome)
    assert ledger.problems() == []
    assert (ledger.started, ledger.ended, ledger.count(Ending.COMPLETED), ledger.count(Ending.FAILED)) == (2, 2, 1, 1)


def test_a_stream_without_an_end_is_missed() -> None:
    ledger = Ledger()
    ledger.start()
    ledger.start()
    ledger.end(PLAN, WHOLE)
    assert ledger.problems() == ["2 streams were started, but 1 completed, failed or were left"]


def test_many_faults_are_counted_and_some_of_them_told() -> None:
    ledger = Ledger()
    for number in range(60):
        ledger.add_fault(f"fault {number}")
    assert ledger.problems() == [*(f"fault {number}" for number in range(50)), "and 10 more"]


def grown(growths: list[Growth]) -> list[str]:
    return [growth.name for growth in growths if growth.too_much]


def after(streams: int, **more: int) -> Sample:
    return replace(
        QUIET, streams=QUIET.streams + streams, **{name: getattr(QUIET, name) + by for name, by in more.items()}
    )


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"files": 3, "sockets": 3, "blocks": 1000, "heap_bytes": 300_000},
        {"rss_bytes": 10**8},
        {"files": -9, "sockets": -9, "tasks": -1, "blocks": -5000, "heap_bytes": -(10**6)},
    ],
)
def test_what_a_quiet_process_may_differ_by_is_let_pass(more: dict[str, int]) -> None:
    assert grown(quiet_growth(QUIET, after(1500, **more))) == []


@pytest.mark.parametrize(
    "more, names",
    [
        ({"heap_bytes": 1500 * 1024}, ["heap_bytes, quiet"]),
        ({"blocks": 1500}, ["blocks, quiet"]),
        ({"tasks": 1}, ["tasks, quiet"]),
        ({"files": 15, "sockets": 15}, ["files, quiet", "sockets, quiet"]),
    ],
)
def test_a_leak_in_every_stream_is_caught_in_the_short_form(more: dict[str, int], names: list[str]) -> None:
    """1,500 streams, half of what the 60 s form measures per event loop; a socket in every hundredth of them."""
    assert grown(quiet_growth(QUIET, after(1500, **more))) == names


@pytest.mark.parametrize("name", ["files", "sockets", "tasks"])
def test_what_is_left_after_closing_is_caught(name: str) -> None:
    assert grown(closed_growth(QUIET, after(1500, blocks=10**6))) == []
    assert grown(closed_growth(QUIET, after(1500, **{name: 1}))) == [f"{name}, closed"]


def under_load(bytes_per_stream: int, streams: int) -> list[Sample]:
    """Samples while memory wanders, the last two rounds of which are outliers."""
    wander = [0, 3_000_000, -2_000_000, 1_000_000]
    samples = [
        replace(QUIET, streams=done, rss_bytes=90_000_000 + wander[done % 4] + done * bytes_per_stream)
        for done in range(0, streams, streams // 99)
    ]
    return [*samples[:-2], *(replace(sample, rss_bytes=10**9) for sample in samples[-2:])]


def test_memory_that_only_wanders_under_load_is_let_pass() -> None:
    assert grown(load_growth(under_load(0, 60_000))) == []


def test_a_leak_of_1_kib_a_stream_is_seen_under_load_in_the_long_form() -> None:
    assert grown(load_growth(under_load(1024, 60_000))) == ["rss_bytes, under load"]


def test_too_few_samples_are_no_measurement() -> None:
    with pytest.raises(ValueError, match="2 samples were taken"):
        load_growth([QUIET, QUIET])


def test_client_and_server_draw_the_same_plan() -> None:
    for number in range(200):
        plan = draw_plan(7, number)
        assert plan_of_body(7, f'{{"input": "{plan.name}"}}'.encode()) == plan
    assert plan_of_body(7, b"calm-3") == calm_plan(3)
    with pytest.raises(ValueError, match="names no stream"):
        plan_of_body(7, b"{}")


def test_a_few_hundred_plans_meet_every_scenario_in_both_apis_and_every_behaviour() -> None:
    plans = [draw_plan(1, number) for number in range(2000)]
    assert {(plan.scenario, plan.wire_api) for plan in plans} == {
        (scenario, wire_api) for scenario in FATES for wire_api in ("responses", "chat")
    }
    assert {plan.behaviour for plan in plans} == set(Behaviour)


def test_the_server_has_an_answer_to_every_plan() -> None:
    plans = [draw_plan(2, number) for number in range(500)]
    replies = [build_reply(plan) for plan in plans if plan.scenario is not Scenario.REFUSED]
    assert {reply.status for reply in replies} == {200, 400, 401, 429, 500, 503}


def test_a_transient_refusal_ends_and_leaves_nothing_behind() -> None:
    answers = Answers(3)
    plans = [draw_plan(3, number) for number in range(1000)]
    plan = next(plan for plan in plans if plan.scenario is Scenario.TRANSIENT)
    request = RecordedRequest("POST", "/v1/responses", httpx.Headers(), plan.name.encode())
    refusals = 1 + plan.choice % 2
    for _ in range(2):
        replies = [answers(request) for _ in range(refusals + 1)]
        assert replies[-1] == build_reply(plan)
        assert build_reply(plan) not in replies[:-1]


@pytest.mark.parametrize(
    "backend, transport, runs",
    [
        (None, "httpx", [("asyncio", "httpx"), ("trio", "httpx")]),
        (None, "http2", [("asyncio", "http2"), ("trio", "http2")]),
        (None, "aiohttp", [("asyncio", "aiohttp")]),
        ("trio", None, [("trio", "httpx")]),
        ("asyncio", "aiohttp", [("asyncio", "aiohttp")]),
    ],
)
def test_a_soak_runs_what_it_was_asked_for(
    backend: str | None, transport: str | None, runs: list[tuple[str, str]]
) -> None:
    assert runs_of(backend, transport) == runs


def test_a_soak_without_wishes_runs_on_both_loops() -> None:
    assert runs_of(None, None)[:2] == [("asyncio", "httpx"), ("trio", "httpx")]


def test_a_soak_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["--backend", "trio", "--transport", "aiohttp"])
    assert capsys.readouterr().err.endswith("error: aiohttp does not run on trio\n")


def test_a_wave_of_slow_turns_goes_through_every_gateway() -> None:
    plans = [slow_plan(number) for number in range(3)]
    assert [gateway_for(plan) for plan in plans] == ["chat", "responses", "pool"]
    assert [plan_of_body(7, plan.name.encode()) for plan in plans] == plans


CALLED = next(
    plan for number in range(999) if (plan := draw_plan(4, number)).scenario is Scenario.CUT and plan.words > 9
)
KEPT = next(plan for number in range(999) if (plan := draw_plan(4, number)).behaviour is Behaviour.COLLECT)


@pytest.mark.parametrize(
    "outcome",
    [
        CallOutcome(Ending.COMPLETED, CALLED.text, answer_id=CALLED.name),
        CallOutcome(Ending.FAILED, CALLED.text[:9], answer_id=CALLED.name, code="upstream_error"),
        CallOutcome(Ending.FAILED, code="upstream_error"),
    ],
)
def test_what_a_gateway_may_make_of_a_cut_stream(outcome: CallOutcome) -> None:
    assert gateway_fault_of(CALLED, outcome) is None


@pytest.mark.parametrize(
    "outcome, fault",
    [
        (CallOutcome(Ending.COMPLETED, CALLED.text[:-1], answer_id=CALLED.name), "another text"),
        (CallOutcome(Ending.COMPLETED, CALLED.text, answer_id="soak-x"), "has the id of soak-x"),
        (CallOutcome(Ending.FAILED, "other", code="upstream_error"), "another text"),
        (CallOutcome(Ending.FAILED, code=None), "failed with the code None"),
        (CallOutcome(Ending.ASTRAY, astray="raised"), "raised"),
    ],
)
def test_what_a_gateway_must_not(outcome: CallOutcome, fault: str) -> None:
    assert fault in (gateway_fault_of(CALLED, outcome) or "")


def test_nobody_leaves_a_gateway_who_was_to_stay() -> None:
    assert gateway_fault_of(KEPT, CallOutcome(Ending.LEFT)) == "ended as if it had been left, and nobody left it"
