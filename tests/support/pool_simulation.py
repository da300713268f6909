"""Accounts that are used up and reset, turns that meet them, and a book of its own of who may serve when."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from codex_client.api import AttemptOutcome, Lease
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import PoolExhaustedError, UsageLimitReachedError
from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow
from codex_client.testing import ManualClock
from tests.support.pooled import number_of

# Moments are told as such and as lengths of time: sums of floats differ by less than this.
_TOLERANCE = 1e-3
_AFFINITY = 3600.0


@dataclass
class Window:
    """A limit of the server's: a share per turn, begun anew when its time has come."""

    minutes: int
    per_turn: float
    resets_at: float
    used: float = 0.0

    def roll(self, now: float) -> None:
        while self.resets_at <= now:
            self.used, self.resets_at = 0.0, self.resets_at + 60 * self.minutes

    def seen(self) -> RateLimitWindow:
        return RateLimitWindow(self.used, self.minutes, self.resets_at)


@dataclass
class ServerSide:
    """One account as its server has it."""

    windows: list[Window]
    is_mute: bool

    def answer(self, now: float) -> AttemptOutcome:
        for window in self.windows:
            window.roll(now)
        is_refused = any(window.used >= 100 for window in self.windows)
        if not is_refused:
            for window in self.windows:
                window.used = min(100.0, window.used + window.per_turn)
        primary, secondary = (window.seen() for window in self.windows)
        told = RateLimitSnapshot(primary=primary, secondary=secondary, source="header", fetched_at=now)
        if not is_refused:
            return AttemptOutcome(200, None, [told])
        if self.is_mute:
            return AttemptOutcome(429, UsageLimitReachedError("used up", status=429))
        wait = max(window.resets_at for window in self.windows if window.used >= 100) - now
        return AttemptOutcome(429, UsageLimitReachedError("used up", status=429, retry_after=wait), [told])


@dataclass
class Book:
    """What has been told of one account, and since when and until when it must rest for it."""

    since: float = 0.0
    until: float = 0.0
    newest: float = 0.0
    last_reset: float = 0.0

    def note(self, outcome: AttemptOutcome, now: float) -> None:
        for told in outcome.rate_limits:
            assert told.fetched_at is not None
            if told.fetched_at < self.newest:
                continue
            self.newest = told.fetched_at
            resets = [window.resets_at or 0.0 for window in told.windows if window.used_percent >= 100]
            self.last_reset = max(resets, default=0.0)
            if self.last_reset > now:
                if self.since <= told.fetched_at or self.until <= now:
                    self.since, self.until = told.fetched_at, self.last_reset
            elif self.since < told.fetched_at:
                self.until = 0.0
        if outcome.error is not None:
            wait = outcome.error.retry_after
            told_at = self.last_reset if wait is None else now + wait
            self.since, self.until = now, max(self.until, told_at if told_at > now else now + 300)

    def may_serve(self, now: float) -> bool:
        return self.until <= now + _TOLERANCE


@dataclass
class Simulation:
    """Plays turns on pools that share a state, and checks each lease against its own book."""

    pools: list[CredentialPool]
    clock: ManualClock
    random: Random
    accounts: int = 5
    conversations: int = 8

    leases: list[str] = field(default_factory=list)
    """The account of each lease, in order."""
    turns: int = 0
    stayed: int = 0
    moved: int = 0
    refused: int = 0
    exhausted: int = 0

    def __post_init__(self) -> None:
        now, random = self.clock.time(), self.random
        self.server = {
            str(number): ServerSide(
                [
                    Window(300, random.uniform(1, 7), now + random.uniform(600, 18_000)),
                    Window(10_080, random.uniform(0.02, 0.3), now + random.uniform(3600, 604_800)),
                ],
                is_mute=number == 0,
            )
            for number in range(self.accounts)
        }
        self.books = {number: Book() for number in self.server}
        self.homes: dict[str, tuple[str, float]] = {}
        self.names = [f"conversation-{number}" for number in range(self.conversations)]
        self.open: list[tuple[CredentialPool, Lease, AttemptOutcome, str]] = []

    async def run(self, turns: int) -> None:
        while self.turns < turns:
            self.clock.advance(self.random.expovariate(1 / 60))
            if self.open and self.random.random() < 0.5:
                await self.finish()
            else:
                await self.begin()
        while self.open:
            await self.finish()

    async def begin(self) -> None:
        """A turn to its answer; a refusal is reported at once, an answer when its stream is over."""
        self.turns += 1
        place = self.random.randrange(self.conversations)
        if self.random.random() < 0.02:
            self.names[place] = f"conversation-{self.turns}"
        name, pool = self.names[place], self.random.choice(self.pools)
        for _ in range(self.accounts + 1):
            now = self.clock.time()
            try:
                lease = await pool.lease(conversation_id=name, forced_refresh=False)
            except PoolExhaustedError as error:
                self.check_exhausted(error, now)
                return
            number = number_of(lease)
            self.check_lease(name, number, now)
            outcome = self.server[number].answer(now)
            if outcome.error is None:
                self.open.append((pool, lease, outcome, name))
                return
            self.refused += 1
            self.books[number].note(outcome, now)
            others = [book for key, book in self.books.items() if key != number]
            assert await pool.report(lease, outcome) is any(book.may_serve(now) for book in others)
        raise AssertionError("more attempts than accounts")

    async def finish(self) -> None:
        pool, lease, outcome, name = self.open.pop(self.random.randrange(len(self.open)))
        number, now = number_of(lease), self.clock.time()
        self.books[number].note(outcome, now)
        assert await pool.report(lease, outcome) is False
        home = self.homes[name]
        if home[0] == number or now - home[1] >= _AFFINITY:
            self.homes[name] = (number, now)

    def check_lease(self, name: str, number: str, now: float) -> None:
        assert self.books[number].may_serve(now), f"account {number} was lent before its cooldown was over"
        self.leases.append(number)
        home = self.homes.get(name)
        if home is not None and now - home[1] < _AFFINITY:
            if number == home[0]:
                self.stayed += 1
            else:
                self.moved += 1
                assert not self.books[home[0]].may_serve(now), f"{name} left account {home[0]}, which could serve"
        self.homes[name] = (number, now)

    def check_exhausted(self, error: PoolExhaustedError, now: float) -> None:
        assert not any(book.may_serve(now) for book in self.books.values()), "an account could have served"
        soonest = min(book.until for book in self.books.values())
        assert error.next_available_at is not None
        assert abs(error.next_available_at - soonest) < _TOLERANCE
        assert len(error.reasons) == self.accounts
        self.exhausted += 1
