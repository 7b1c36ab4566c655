"""Judges a history: pure, so that it can be tried on histories that are wrong on purpose."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.chaos.history import Broken, History, Place, Said, Shown

type Stream = tuple[str, Place]
"""One person's words in one place: these have an order."""

EXAMPLES_MAX = 20
"""Enough to see what is wrong; the report is not the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How one fault went. ``recovery_s`` is from its healing until all said in it had arrived."""

    kind: str
    target: str
    detail: str
    at_s: float
    lasted_s: float | None
    recovery_s: float | None
    """``None``: something said during it never arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run proved. Times in seconds, ``at_s`` from the first message on."""

    messages: int
    deeds: int
    """Assignments and closings by button."""
    undone: int
    expected: int
    arrived: int
    lost: int
    doubled: int
    explained: int
    """Of the doubled, those of calls which the program said it had to repeat."""
    out_of_order: int
    stale_commits: int
    unhandled: int
    unsent: int
    undeliverable: int
    dead_letters: int
    quarantined: int
    pages_read: int
    pages_wrong: int
    """How often a status page and the database differed by more than the page's age."""
    tickets: int
    seconds: float
    longest_still_s: float
    """The longest that one ticket had something to bring and brought nothing."""
    stillest_ticket: int | None
    p50_s: float
    p99_s: float
    recoveries: tuple[Recovery, ...]
    examples: tuple[str, ...]

    @property
    def violations(self) -> tuple[str, ...]:
        """Which invariants did not hold, in words; empty when the run is ok."""
        found = {
            "nothing was tried": not self.expected,
            f"{self.lost} lost": self.lost,
            f"{self.doubled - self.explained} doubled without a cause": (
                self.doubled > self.explained
            ),
            f"{self.undone} buttons pressed in vain": self.undone,
            f"{self.out_of_order} out of order": self.out_of_order,
            f"{self.stale_commits} stale commits": self.stale_commits,
            f"{self.unhandled} stored and not handled": self.unhandled,
            f"{self.unsent} decided and not sent": self.unsent,
            f"{self.undeliverable} undeliverable": self.undeliverable,
            f"{self.dead_letters} dead letters": self.dead_letters,
            f"{self.quarantined} tickets in quarantine": self.quarantined,
            f"{self.pages_wrong} status pages were wrong": self.pages_wrong,
        }
        return tuple(text for text, is_so in found.items() if is_so)

    @property
    def is_ok(self) -> bool:
        return not self.violations

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.is_ok, "violations": self.violations, **asdict(self)}


def judge(history: History) -> Verdict:
    """The verdict. Nothing that is left out of ``history`` counts as arrived."""
    seen = _streams(history)
    arrivals = _arrivals(seen)
    lost = list(_lost(history.said, arrivals))
    doubled = _doubled(history)
    disordered = list(_out_of_order(seen))
    vain = [f"in vain: {deed.what}, the ticket of {deed.ticket}" for deed in history.undone]
    waits = sorted(_waits(history.said, arrivals))
    begun = min((said.at for said in history.said), default=0.0)
    still_s, stillest = _longest_still(history.said, arrivals)
    expected = sum(len(said.places) for said in history.said)
    ledger = history.ledger
    return Verdict(
        messages=len({(said.who, said.number) for said in history.said}),
        deeds=len(history.deeds),
        undone=len(history.undone),
        expected=expected,
        arrived=expected - len(lost),
        lost=len(lost),
        doubled=sum(doubled.values()),
        explained=sum(min(count, history.resent[ticket]) for ticket, count in doubled.items()),
        out_of_order=len(disordered),
        stale_commits=ledger.stale_commits,
        unhandled=ledger.unhandled,
        unsent=ledger.unsent,
        undeliverable=ledger.undeliverable,
        dead_letters=ledger.dead_letters,
        quarantined=ledger.quarantined,
        pages_read=history.pages_read,
        pages_wrong=len(history.pages_wrong),
        tickets=ledger.tickets,
        seconds=round(max((shown.at for shown in history.shown), default=begun) - begun, 3),
        longest_still_s=round(still_s, 3),
        stillest_ticket=stillest,
        p50_s=round(_quantile(waits, 0.5), 3),
        p99_s=round(_quantile(waits, 0.99), 3),
        recoveries=tuple(_recoveries(history, arrivals, begun)),
        examples=tuple(
            [*lost, *disordered, *vain, *_unexplained(history, doubled), *history.pages_wrong][
                :EXAMPLES_MAX
            ]
        ),
    )


def missing(history: History) -> int:
    """How many copies are still to come."""
    arrivals = _arrivals(_streams(history))
    return sum(1 for _ in _lost(history.said, arrivals))


def owed_over_time(history: History) -> list[tuple[float, int]]:
    """How many copies people waited for, at each time at which that changed."""
    arrivals = _arrivals(_streams(history))
    changes: Counter[float] = Counter()
    for said in history.said:
        for place in said.places:
            changes[said.at] += 1
            at = arrivals.get(((said.who, place), said.number))
            if at is not None:
                changes[max(at, said.at)] -= 1
    owed = 0
    return [(at, owed := owed + changes[at]) for at in sorted(changes)]


# --- what arrived ---------------------------------------------------------------------------


def _streams(history: History) -> dict[Stream, list[tuple[int, Shown]]]:
    """Each person's numbers in each place, in the order in which the place shows them."""
    places: dict[tuple[str, int], set[Place]] = defaultdict(set)
    for said in history.said:
        for place in said.places:
            places[said.who, place.chat].add(place)
    seen: dict[Stream, list[tuple[int, Shown]]] = {
        (who, place): [] for (who, _), known in places.items() for place in known
    }
    for shown in sorted(history.shown, key=lambda shown: (shown.chat, shown.message_id)):
        for who, number in shown.words:
            for place in places.get((who, shown.chat), ()):
                if place.holds(shown):
                    seen[who, place].append((number, shown))
    return seen


def _arrivals(seen: dict[Stream, list[tuple[int, Shown]]]) -> dict[tuple[Stream, int], float]:
    """When each number was first seen in each place."""
    found: dict[tuple[Stream, int], float] = {}
    for stream, numbers in seen.items():
        for number, shown in numbers:
            found.setdefault((stream, number), shown.at)
    return found


def _lost(said: Sequence[Said], arrivals: dict[tuple[Stream, int], float]) -> Iterator[str]:
    for message in said:
        for place in message.places:
            if ((message.who, place), message.number) not in arrivals:
                yield f"lost: {message.who} {message.number} in {_named(place)}"


def _out_of_order(seen: dict[Stream, list[tuple[int, Shown]]]) -> Iterator[str]:
    """Each number that first appears behind a higher one in the same topic.

    Two topics have no order between them. Repeats are judged as doubles.
    """
    for (who, place), numbers in seen.items():
        highest: Counter[int | None] = Counter()
        first: dict[int, Shown] = {}
        for number, shown in numbers:
            first.setdefault(number, shown)
        for number, shown in first.items():
            before = highest[shown.thread]
            if number < before:
                yield f"out of order: {who} {number} behind {before} in {_named(place)}"
            highest[shown.thread] = max(before, number)


def _doubled(history: History) -> Counter[int]:
    """Messages of the bot that say again what the same chat showed already, by ticket.

    One call makes one message; a message that carries several words is one double.
    """
    tickets = {said.who: said.ticket for said in history.said}
    seen: set[tuple[int, str, int]] = set()
    doubled: Counter[int] = Counter()
    for shown in sorted(history.shown, key=lambda shown: (shown.chat, shown.message_id)):
        keys = {(shown.chat, who, number) for who, number in shown.words}
        if keys & seen or len(keys) < len(shown.words):
            # Words that nobody said are doubles, too: of a ticket without an excuse.
            doubled[tickets.get(shown.words[0][0], 0)] += 1
        seen |= keys
    return doubled


def _unexplained(history: History, doubled: Counter[int]) -> Iterator[str]:
    for ticket, count in doubled.items():
        if count > history.resent[ticket]:
            yield f"doubled: {count} in the ticket of {ticket}, resent {history.resent[ticket]}"


def _named(place: Place) -> str:
    return f"{place.chat}" if place.thread is None else f"{place.chat}/{place.thread}"


# --- how long it took -----------------------------------------------------------------------


def _waits(said: Sequence[Said], arrivals: dict[tuple[Stream, int], float]) -> Iterator[float]:
    for message in said:
        for place in message.places:
            at = arrivals.get(((message.who, place), message.number))
            if at is not None:
                yield max(0.0, at - message.at)


def _longest_still(
    said: Sequence[Said], arrivals: dict[tuple[Stream, int], float]
) -> tuple[float, int | None]:
    """The longest time in which a ticket owed a copy and brought none, and whose it was."""
    events: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for message in said:
        for place in message.places:
            events[message.ticket].append((message.at, 1))
            at = arrivals.get(((message.who, place), message.number))
            if at is not None:
                events[message.ticket].append((max(at, message.at), -1))
    longest, whose = 0.0, None
    for ticket, found in events.items():
        owed = 0
        since = 0.0
        for at, change in sorted(found, key=lambda event: (event[0], -event[1])):
            if change < 0 or not owed:
                if owed and at - since > longest:
                    longest, whose = at - since, ticket
                since = at
            owed += change
    return longest, whose


def _recoveries(
    history: History, arrivals: dict[tuple[Stream, int], float], begun: float
) -> Iterator[Recovery]:
    for broken in sorted(history.broken, key=lambda each: each.started_at):
        yield Recovery(
            kind=broken.kind,
            target=broken.target,
            detail=broken.detail,
            at_s=round(broken.started_at - begun, 3),
            lasted_s=(
                None if broken.healed_at is None else round(broken.healed_at - broken.started_at, 3)
            ),
            recovery_s=_recovery_s(broken, history.said, arrivals),
        )


def _recovery_s(
    broken: Broken, said: Iterable[Said], arrivals: dict[tuple[Stream, int], float]
) -> float | None:
    if broken.healed_at is None:
        return None
    last = broken.healed_at
    for message in said:
        if broken.started_at <= message.at <= broken.healed_at:
            for place in message.places:
                at = arrivals.get(((message.who, place), message.number))
                if at is None:
                    return None
                last = max(last, at)
    return round(last - broken.healed_at, 3)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
