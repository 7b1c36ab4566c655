"""What a chaos run tells: in words, as a page, while it goes on."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from lab.chaos.checker import judge, owed_over_time
from lab.chaos.history import Broken, History, Place, Said, Shown
from lab.chaos.live import counts, picture
from lab.chaos.report import as_html, replay_command, verdict_text
from lab.chaos.run import ChaosOptions, NodeTale, Outcome, Progress

MAIN = Place(-100, 5)
OPTIONS = ChaosOptions(minutes=0.5, nodes=1, clients=2, families=("kill",), seed=9, webhook=True)

EVIL = "<script>alert('\"&')</script>"


def said(number: int, at: float) -> Said:
    return Said(who="c7", number=number, ticket=7, at=at, places=(MAIN,))


def shown(number: int, at: float) -> Shown:
    return Shown(chat=-100, thread=5, message_id=number, at=at, words=(("c7", number),))


def outcome(*, lost: bool = False, target: str = "node-1") -> Outcome:
    history = History(
        said=[said(1, 1000.0), said(2, 1010.0)],
        shown=[shown(1, 1001.0)] if lost else [shown(1, 1001.0), shown(2, 1014.0)],
        broken=[Broken(kind="kill", target=target, started_at=1009.0, healed_at=1012.0)],
    )
    tale = NodeTale(name=target, starts=2, failed_starts=0, own_ends=0)
    return Outcome(options=OPTIONS, verdict=judge(history), history=history, nodes=(tale,))


def test_a_verdict_that_is_well_says_so_and_how_long_recovery_took() -> None:
    text = verdict_text(outcome())
    assert re.search(r"^arrived: +2 of 2 copies$", text, re.MULTILINE)
    assert re.search(r"kill +node-1 +for 3.0 s, back in 2.0 s", text)
    assert text.endswith("OK: everything arrived, in order, and nothing twice without a cause.")


def test_a_verdict_that_is_not_names_what_was_lost() -> None:
    text = verdict_text(outcome(lost=True))
    assert "  lost: c7 2 in -100/5" in text
    assert "something lost" in text
    assert text.endswith("VIOLATED: 1 lost.")


def test_the_json_holds_what_it_takes_to_run_it_again() -> None:
    found = json.loads(json.dumps(outcome().as_json()))
    assert found["ok"] is True
    assert (found["seed"], found["minutes"], found["faults"]) == (9, 0.5, ["kill"])
    assert found["recoveries"][0]["recovery_s"] == 2.0
    assert replay_command(outcome()) == (
        "topicdesk chaos --minutes 0.5 --nodes 1 --clients 2 --faults kill "
        "--updates webhook --seed 9"
    )


class Page(HTMLParser):
    """Sees that what opens closes, and collects what would be fetched."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [name for name, _ in attrs if name in {"src", "href", "srcset"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("made", [outcome, lambda: outcome(lost=True)])
def test_the_page_is_whole_and_fetches_nothing(made: Callable[[], Outcome]) -> None:
    page = Page()
    page.feed(as_html(made()))
    assert page.open == []
    assert page.fetched == []
    assert "svg" in page.tags
    assert "url(" not in as_html(made())


def test_nothing_of_a_run_is_taken_as_markup() -> None:
    page = Page()
    made = outcome(target=EVIL, lost=True)
    made = replace(made, verdict=replace(made.verdict, examples=(EVIL,)))
    page.feed(as_html(made))
    assert "script" not in page.tags


def test_the_page_shows_the_fault_its_recovery_and_what_was_owed() -> None:
    html = as_html(outcome())
    assert 'class="fault"' in html
    assert 'class="recovery"' in html
    assert 'class="owed"' in html
    assert 'class="fault lost"' in as_html(outcome(lost=True))


def test_what_is_owed_rises_when_it_is_said_and_falls_when_it_is_shown() -> None:
    assert owed_over_time(outcome().history) == [
        (1000.0, 1),
        (1001.0, 0),
        (1010.0, 1),
        (1014.0, 0),
    ]


@pytest.mark.anyio
async def test_the_live_picture_shows_faults_and_counts() -> None:
    progress = Progress(options=OPTIONS, history=outcome().history, phase="breaking")
    progress.history.broken[0].healed_at = None
    output = io.StringIO()
    Console(file=output, width=100).print(picture(progress))
    assert "2 messages sent; 2 of 2 copies arrived" in map(
        str.strip, output.getvalue().splitlines()
    )
    assert re.search(r"kill +node-1", output.getvalue())
    assert counts(progress) == "2 messages sent; 2 of 2 copies arrived"
