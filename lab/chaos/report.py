"""The verdict in words, and the page that shows a run: self-contained, for a phone or a screen."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from lab.chaos.chart import timeline
from lab.chaos.checker import Recovery, Verdict
from lab.chaos.run import Outcome

PAGE: Final = Template((Path(__file__).parent / "report.html").read_text("utf-8"))


def verdict_text(outcome: Outcome) -> str:
    """The verdict as lines: what held, what did not, how long it took."""
    verdict = outcome.verdict
    lines = [f"{name + ':':<24} {value}" for name, value in _figures(outcome)]
    if verdict.recoveries:
        lines += ["", "Faults, and the time until all said meanwhile had arrived:"]
        lines += [f"  {_fault_line(each)}" for each in verdict.recoveries]
    if verdict.examples:
        lines += ["", "What is wrong:", *(f"  {example}" for example in verdict.examples)]
    lines += ["", _sentence(verdict)]
    return "\n".join(lines)


def as_html(outcome: Outcome) -> str:
    """The whole page; nothing in it is fetched, and nothing from the run is taken as markup."""
    verdict, options = outcome.verdict, outcome.options
    return PAGE.substitute(
        state="ok" if verdict.is_ok else "bad",
        sentence=escape(_sentence(verdict)),
        what=escape(
            f"{options.nodes} nodes, {options.clients} clients, {options.minutes:g} min, "
            f"updates by {'webhook' if options.by_webhook else 'polling'}, seed {options.seed}"
        ),
        figures="".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _figures(outcome)
        ),
        timeline=timeline(outcome.history, verdict.recoveries),
        faults="".join(map(_row, verdict.recoveries)),
        nodes="".join(
            f"<tr><td>{escape(node.name)}</td><td>{node.starts}</td>"
            f"<td>{node.failed_starts}</td><td>{node.own_ends}</td></tr>"
            for node in outcome.nodes
        ),
        examples="".join(f"<li>{escape(example)}</li>" for example in verdict.examples),
        wrong="" if verdict.examples else "hidden",
        replay=escape(replay_command(outcome)),
    )


def replay_command(outcome: Outcome) -> str:
    """The command that breaks the same things at the same times."""
    options = outcome.options
    return (
        f"topicdesk chaos --minutes {options.minutes:g} --nodes {options.nodes} "
        f"--clients {options.clients} --faults {','.join(options.families) or 'none'} "
        f"--updates {'webhook' if options.by_webhook else 'polling'} --seed {options.seed}"
    )


def _sentence(verdict: Verdict) -> str:
    if verdict.is_ok:
        return "OK: everything arrived, in order, and nothing twice without a cause."
    return f"VIOLATED: {', '.join(verdict.violations)}."


def _figures(outcome: Outcome) -> Iterator[tuple[str, str]]:
    verdict = outcome.verdict
    still = "" if verdict.stillest_ticket is None else f" (ticket of {verdict.stillest_ticket})"
    yield "messages", f"{verdict.messages} in {verdict.tickets} tickets, {verdict.seconds:.0f} s"
    yield "arrived", f"{verdict.arrived} of {verdict.expected} copies"
    yield "lost", str(verdict.lost)
    yield "buttons in vain", f"{verdict.undone} of {verdict.deeds}"
    yield "doubled", _doubled(outcome)
    yield "out of order", str(verdict.out_of_order)
    yield "stale commits", str(verdict.stale_commits)
    yield "stored and not handled", str(verdict.unhandled)
    yield "decided and not sent", str(verdict.unsent)
    yield "undeliverable", str(verdict.undeliverable)
    yield "dead letters", str(verdict.dead_letters)
    yield "in quarantine", str(verdict.quarantined)
    yield "message to copy", f"p50 {verdict.p50_s:.2f} s, p99 {verdict.p99_s:.2f} s"
    yield "longest stand-still", f"{verdict.longest_still_s:.1f} s{still}"
    worst = max((each.recovery_s or 0.0 for each in verdict.recoveries), default=0.0)
    yield "longest recovery", f"{worst:.1f} s of {len(verdict.recoveries)} faults"


def _doubled(outcome: Outcome) -> str:
    resent = outcome.history.resent.total()
    if not outcome.verdict.doubled:
        return f"0 ({resent} calls repeated after a crash or a time-out)"
    return (
        f"{outcome.verdict.doubled}, explained by a crash or a time-out: "
        f"{outcome.verdict.explained} ({resent} calls repeated)"
    )


def _fault_line(each: Recovery) -> str:
    return f"{each.at_s:7.1f} s  {each.kind:<17} {each.target:<18} {_lasted(each)}, {_back(each)}"


def _row(each: Recovery) -> str:
    what = f"{each.target}: {each.detail}" if each.detail else each.target
    return (
        f"<tr><td>{each.at_s:.1f}</td><td>{escape(each.kind)}</td><td>{escape(what)}</td>"
        f"<td>{escape(_lasted(each))}</td><td>{escape(_back(each))}</td></tr>"
    )


def _lasted(each: Recovery) -> str:
    return "never healed" if each.lasted_s is None else f"for {each.lasted_s:.1f} s"


def _back(each: Recovery) -> str:
    return "something lost" if each.recovery_s is None else f"back in {each.recovery_s:.1f} s"
