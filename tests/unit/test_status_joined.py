"""Pictures of several nodes and the database's counts as one overview, and what the banner says."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.joined import Known, overview
from bootstrap.picture import NodePicture, decode, encode
from bootstrap.verdict import judge
from storage.stats import NodeSight, StoreSight
from supervisor.mailbox import Window
from supervisor.stats import SLOT_S, SLOTS, Durations, quantile
from tests.fakes import status_samples as samples
from tests.fakes.pictures import measured, picture
from web.shapes import Health, Level, Overview, Services

WELL = Health(ok=True, latency_s=0.001, detail="")
AWAY = Health(ok=False, latency_s=None, detail="TimeoutError")
CHATS = {-1001: "main", -1002: "alice"}


def row(name: str, **more: Any) -> NodeSight:
    values: dict[str, Any] = {
        "name": name,
        "incarnation": "1",
        "owner": f"{name}/1",
        "started_at": samples.STARTED_AT,
        "status": "up",
        "drain_asked_by": None,
        "beat_age_s": 0.5,
        "roles": (),
    }
    return NodeSight(**values | more)


def stored(*nodes: NodeSight, **more: Any) -> StoreSight:
    values: dict[str, Any] = {
        "tickets": {"NEW": 1, "WORK": 2, "CLOSED": 3},
        "owned": {"a/1": 2, "b/1": 1},
        "quarantined": 0,
        "mail": 4,
        "mail_oldest_s": 0.5,
        "dead_letters": 0,
        "waiting": 5,
        "sending": 1,
        "oldest_s": 2.0,
        "undeliverable": 0,
        "nodes": nodes,
    }
    return StoreSight(**values | more)


def known(pictures: Sequence[NodePicture], store: StoreSight | None, **more: Any) -> Known:
    values: dict[str, Any] = {
        "taken_at": datetime.now(UTC),
        "pictures": tuple(pictures),
        "stored": store,
        "stored_age_s": None if store is None else 0.2,
        "postgres": WELL,
        "redis": WELL,
        "chats": CHATS,
    }
    return Known(**values | more)


# --- joining --------------------------------------------------------------------------------


def test_counts_add_up_and_waits_are_of_all_nodes_together() -> None:
    own = picture("a", handled=10, measured={"turn": measured(*[0.001] * 99)})
    other = picture("b", handled=32, measured={"turn": measured(1.0)})
    seen = overview(known([own, other], stored(row("a"), row("b"))))
    assert seen.traffic.handled == 42
    assert seen.actors["idle"] == 4
    assert seen.actors["backing_off"] == 0
    assert (seen.is_complete, seen.node) == (True, "a")
    assert [node.owned for node in seen.nodes] == [2, 1]
    turn = seen.timings.turn
    assert turn.count == 100
    assert turn.p50_s == pytest.approx(0.001, rel=0.3)
    assert turn.max_s == 1.0
    assert (seen.mailboxes.waiting, seen.outbox.waiting, seen.outbox.sending) == (4, 5, 1)


def test_budgets_of_a_group_are_what_all_nodes_sent_and_a_group_without_calls_is_there() -> None:
    used = [replace(samples.budget(-1001, "main", 7), lost_s=3.0)]
    bot = [samples.budget(0, "bot", 2, 30)]
    pictures = [picture(name, budgets=(*bot, *used)) for name in ("a", "b")]
    seen = overview(known(pictures, stored(row("a"), row("b"))))
    assert [(b.name, b.used, b.limit) for b in seen.budgets] == [("main", 14, 20), ("alice", 0, 20)]
    assert (seen.bot.name, seen.bot.used, seen.bot.limit) == ("bot", 4, 30)
    assert seen.budgets[0].lost_s == 6.0


def test_a_living_node_that_did_not_tell_makes_the_sums_incomplete_a_dead_one_does_not() -> None:
    seen = overview(known([picture("a")], stored(row("a"), row("b"))))
    assert not seen.is_complete
    assert seen.nodes[1].state == ""
    assert seen.nodes[1].snapshot_age_s is None
    seen = overview(known([picture("a")], stored(row("a"), row("b", status="dead"))))
    assert seen.is_complete


def test_a_picture_of_a_run_that_is_over_counts_for_nothing_in_the_list() -> None:
    late = picture("b", run="b/0")
    [_, node] = overview(known([picture("a"), late], stored(row("a"), row("b")))).nodes
    assert (node.run, node.state, node.handled) == ("b/1", "", None)


def test_without_postgres_the_last_known_stands_with_its_age_and_nodes_are_unknown() -> None:
    away = known([picture("a")], stored(row("a")), postgres=AWAY, stored_age_s=77.0)
    seen = overview(away)
    assert (seen.tickets["WORK"], seen.stored_age_s) == (2, 77.0)
    assert (seen.nodes[0].status, seen.nodes[0].state) == ("unknown", "serving")
    assert not seen.is_ready
    never = overview(known([picture("a")], None, postgres=AWAY))
    assert (never.tickets, never.dead_letters, never.outbox.waiting) == ({}, None, None)


def test_a_picture_is_the_same_after_its_way_and_what_is_none_is_nobodys() -> None:
    told = picture("a")
    assert decode(encode(told)) == told
    for other in (b"", b"{", b"[]", b"{}", b"\xff", b'{"name": "a"}'):
        assert decode(other) is None


def test_a_picture_of_a_newer_program_is_read_as_far_as_it_is_known() -> None:
    told = encode(picture("a")).replace(b'"name":"a"', b'"name":"a","moods":3', 1)
    found = decode(told)
    assert found is not None
    assert found.name == "a"


# --- the banner -----------------------------------------------------------------------------


def services(**sick: Health) -> Services:
    return replace(Services(postgres=WELL, redis=WELL, telegram=WELL), **sick)


def nodes(**more: Any) -> dict[str, Any]:
    first, *others = samples.overview().nodes
    return {"nodes": (replace(first, **more), *others)}


def idle(**more: Any) -> dict[str, Any]:
    """No node serves."""
    found = tuple(replace(node, state="paused", **more) for node in samples.overview().nodes)
    return {"nodes": found}


SEEN = samples.overview()


@pytest.mark.parametrize(
    ("change", "level", "codes"),
    [
        ({}, Level.WELL, []),
        ({"health": services(redis=AWAY)}, Level.DEGRADED, ["redis"]),
        ({"health": services(telegram=AWAY)}, Level.DEGRADED, ["telegram"]),
        ({"health": services(postgres=AWAY)}, Level.DOWN, ["postgres"]),
        (idle(), Level.DOWN, ["no_node"]),
        ({**idle(), "reasons": ("the program is stopping",)}, Level.DOWN, ["not_ready"]),
        (nodes(state="paused"), Level.DEGRADED, ["node_paused"]),
        (nodes(beat_age_s=9.0), Level.DEGRADED, ["node_away"]),
        (nodes(status="dead", state="", beat_age_s=900.0), Level.WELL, []),
        ({"quarantined": 2}, Level.DEGRADED, ["quarantined"]),
        ({"dead_letters": 1}, Level.DEGRADED, ["dead_letters"]),
        ({"outbox": replace(SEEN.outbox, oldest_s=61.0)}, Level.DEGRADED, ["outbox_late"]),
        ({"mailboxes": replace(SEEN.mailboxes, oldest_s=31.0)}, Level.DEGRADED, ["mail_late"]),
        ({"loop": replace(SEEN.loop, lag_max_s=1.5)}, Level.DEGRADED, ["loop_lag"]),
        ({"restarts": replace(SEEN.restarts, used=3)}, Level.DEGRADED, ["restarts"]),
        ({"webhook": replace(SEEN.webhook, pending=101)}, Level.DEGRADED, ["webhook"]),
    ],
)
def test_the_banner_names_the_cause_and_what_to_do(
    change: dict[str, Any], level: Level, codes: list[str]
) -> None:
    verdict = judge(replace(SEEN, **{"dead_letters": 0, **change}))
    assert (verdict.level, [cause.code for cause in verdict.causes]) == (level, codes)
    assert all(cause.advice == f"advice-{cause.code.replace('_', '-')}" for cause in verdict.causes)


def test_a_complaint_about_the_webhook_counts_until_updates_come_again() -> None:
    def level(complained_s: float, heard_s: float) -> Level:
        now = datetime.now(UTC)
        at = now - timedelta(seconds=complained_s)
        webhook = replace(SEEN.webhook, error="Connection refused", error_at=at)
        heard = replace(SEEN.traffic, last_update_at=now - timedelta(seconds=heard_s))
        seen: Overview = replace(SEEN, webhook=webhook, traffic=heard, dead_letters=0, taken_at=now)
        return judge(seen).level

    assert level(complained_s=10, heard_s=60) is Level.DEGRADED
    assert level(complained_s=60, heard_s=10) is Level.WELL
    assert level(complained_s=700, heard_s=900) is Level.WELL


# --- measuring ------------------------------------------------------------------------------


@given(st.lists(st.floats(min_value=1e-5, max_value=900.0), min_size=1, max_size=200))
def test_a_quantile_is_right_to_the_width_of_a_bucket(values: list[float]) -> None:
    durations = Durations(lambda: 0.0)
    for value in values:
        durations.observe(value)
    ordered = sorted(values)
    for part in (0.5, 0.95, 0.99):
        exact = ordered[max(0, math.ceil(part * len(ordered)) - 1)]
        found = quantile(durations.counts(), part)
        assert exact / 1.3 <= found <= exact * 1.3, part
    assert durations.longest_s == ordered[-1]


def test_what_was_measured_more_than_a_minute_ago_is_forgotten() -> None:
    now = 5.0
    durations = Durations(lambda: now)
    durations.observe(1.0)
    now += SLOT_S * (SLOTS - 1)
    durations.observe(0.5)
    assert (sum(durations.counts()), durations.longest_s) == (2, 1.0)
    now += SLOT_S
    assert (sum(durations.counts()), durations.longest_s) == (1, 0.5)
    now += 1000 * SLOT_S
    assert (sum(durations.counts()), durations.longest_s) == (0, 0.0)
    assert quantile(durations.counts(), 0.5) == 0.0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 64)), max_size=100))
def test_the_deepest_mailbox_is_known_without_looking_at_any(steps: list[tuple[int, int]]) -> None:
    window, depths = Window(10_000), [0] * 5
    for which, depth in steps:
        window.changed(depths[which], depth)
        depths[which] = depth
        assert window.depth_max == max(depths)
        assert window.messages == sum(depths)
