"""What a gateway counts, in Prometheus' form. A registry of its own for every app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from codex_client.gateway.accounts import AccountView
from codex_client.gateway.activity import Activity
from codex_client.gateway.record import RequestRecord
from codex_client.gateway.refusals import CALLERS_OWN

_PREFIX = "codex_client_gateway"
# Seconds; a reasoning model may think for minutes before it says anything.
_FIRST_EVENT_BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
TOKEN_KINDS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


class GatewayMetrics:
    """Counts requests as they end. `totals` and `text` give the sums, for the page and for Prometheus."""

    def __init__(self, activity: Activity) -> None:
        registry = self._registry = _Registry()
        self._requests = Counter(
            f"{_PREFIX}_requests", "Requests that have ended.", ("route", "status"), registry=registry
        )
        self._turns = Counter(
            f"{_PREFIX}_turns",
            "Turns that the provider was asked for.",
            registry=registry,
        )
        self._events = Counter(f"{_PREFIX}_events", "Events of turns, as the provider sent them.", registry=registry)
        self._tokens = Counter(
            f"{_PREFIX}_tokens", "Tokens as the provider counted them.", ("kind",), registry=registry
        )
        self._errors = Counter(
            f"{_PREFIX}_errors",
            "Turns that failed, by error class and by whose request or server it was.",
            ("error", "cause"),
            registry=registry,
        )
        self._first_event = Histogram(
            f"{_PREFIX}_first_event_seconds",
            "Time from a request's arrival to the first event of its answer.",
            ("route",),
            buckets=_FIRST_EVENT_BOUNDS,
            registry=registry,
        )
        running = Gauge(f"{_PREFIX}_turns_in_flight", "Turns that run.", registry=registry)
        running.set_function(lambda: activity.in_flight)
        arriving = Gauge(
            f"{_PREFIX}_requests_arriving",
            "Requests for turns that are still read; as many may as turns.",
            registry=registry,
        )
        arriving.set_function(lambda: activity.arriving)
        self._accounts = _Accounts()
        registry.register(self._accounts)

    def count(self, record: RequestRecord) -> None:
        """A request has ended."""
        self._requests.labels(record.route, str(record.status)).inc()
        self._turns.inc(record.asked)
        self._events.inc(record.events)
        if record.first_event_after is not None:
            self._first_event.labels(record.route).observe(record.first_event_after)
        if (error := record.failure) is not None:
            cause = "caller" if isinstance(error, CALLERS_OWN) else "upstream"
            self._errors.labels(type(error).__name__, cause).inc()
        if record.token_usage is not None:
            for kind in TOKEN_KINDS:
                self._tokens.labels(kind).inc(getattr(record.token_usage, kind))

    def totals(self) -> dict[str, int]:
        """Turns, events, and each kind of token since the start."""
        read = self._registry.get_sample_value
        tokens = {kind: int(read(f"{_PREFIX}_tokens_total", {"kind": kind}) or 0) for kind in TOKEN_KINDS}
        turns, events = (int(read(f"{_PREFIX}_{name}_total") or 0) for name in ("turns", "events"))
        return {"turns": turns, "events": events, **tokens}

    def text(self, accounts: Sequence[AccountView]) -> bytes:
        """Everything, with the accounts as they are now."""
        self._accounts.now = accounts
        return generate_latest(self._registry)


class _Registry(CollectorRegistry):
    """Without the moment at which each metric was made: it is that of the start, and doubles their number."""

    def collect(self) -> Iterator[Metric]:
        for family in super().collect():
            family.samples = [sample for sample in family.samples if sample.name != f"{family.name}_created"]
            yield family


class _Accounts(Collector):
    """The accounts' limits as gauges, made anew for each look: windows come and go."""

    def __init__(self) -> None:
        self.now: Sequence[AccountView] = ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        window = ("account", "limit", "window")
        used = GaugeMetricFamily(f"{_PREFIX}_account_used_percent", "Used share of a window.", labels=window)
        resets = GaugeMetricFamily(
            f"{_PREFIX}_account_resets_at_seconds", "When a window begins anew, Unix seconds.", labels=window
        )
        serves = GaugeMetricFamily(
            f"{_PREFIX}_account_can_serve", "Whether an account can serve now.", labels=("account",)
        )
        for account in self.now:
            serves.add_metric([account.key], float(account.can_serve))
            for each in account.windows or ():
                used.add_metric([account.key, each.limit, each.label], each.used_percent)
                if each.resets_at is not None:
                    resets.add_metric([account.key, each.limit, each.label], each.resets_at)
        yield from (used, resets, serves)
