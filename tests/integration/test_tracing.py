"""One trace follows an update through all nodes, and costs nothing where none is taken."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import anyio
import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.messages import Envelope
from actors.nodes import NodeIdentity
from actors.ports import Incoming, Stored
from actors.workflows import decide
from actors.workflows.support import give_up
from bootstrap.observed import ObservedInbox, ObservedOutbox
from bootstrap.tracing import TraceOptions, Traces
from bot.calls import Calls
from bot.delivery import Delivery
from bot.delivery.pace import Pace
from bot.texts import Texts
from lab.simulation.links import NoLinks
from storage.inbox import PostgresInbox
from storage.nodes import PostgresNodes
from storage.outbox import PostgresOutbox
from storage.tickets import PostgresTicketStore
from supervisor.runtime import Runtime
from tests.fakes.bot_api import (
    FakeApi,
    FixedDirectory,
    FixedRoster,
    MemoryMailroom,
    MemoryMarks,
    MemoryPresses,
)
from tests.fakes.delivery import UNPACED
from tests.fakes.desk import MAIN_CHAT, from_client, scalar
from tests.fakes.nodes import a_run
from tests.fakes.operations import execute
from tests.fakes.reporter import MemoryReporter

pytestmark = pytest.mark.anyio

DEADLINE_S = 20.0


class Lanes:
    def wake(self, lanes: Sequence[str]) -> None:
        """The other node sends."""

    def look(self) -> None:
        """The other node sends."""


@dataclass(frozen=True, slots=True)
class TracedNode:
    """A run with traces of its own, in memory."""

    run: NodeIdentity
    exporter: InMemorySpanExporter
    traces: Traces

    @property
    def spans(self) -> dict[str, list[ReadableSpan]]:
        found: dict[str, list[ReadableSpan]] = {}
        for span in self.exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found


async def a_node(engine: AsyncEngine, name: str, **options: int) -> TracedNode:
    """A run that Postgres knows, as the others see it."""
    run, exporter = a_run(name), InMemorySpanExporter()
    await PostgresNodes(engine).register(run)
    provider = TracerProvider(resource=Resource({"service.instance.id": name}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return TracedNode(run, exporter, Traces(provider, TraceOptions(**options)))


def update(node: TracedNode, number: int = 1) -> Incoming:
    return replace(from_client(1, number), trace=node.traces.begin())


@asynccontextmanager
async def runtime(engine: AsyncEngine, node: TracedNode) -> AsyncIterator[Runtime]:
    made = Runtime(
        store=PostgresTicketStore(engine, lambda: node.run, MAIN_CHAT),
        hints=Lanes(),
        decide=decide,
        give_up=give_up,
        reporter=MemoryReporter(),
        jitter=lambda: 0.0,
        observer=node.traces,
    )
    async with anyio.create_task_group() as group:
        await group.start(made.run)
        yield made
        group.cancel_scope.cancel()


async def until(engine: AsyncEngine, query: str) -> None:
    """Waits until nothing is left of what the query counts."""
    with anyio.fail_after(DEADLINE_S):
        while await scalar(engine, query):  # noqa: ASYNC110 — nobody tells
            await anyio.sleep(0.02)


async def handled(engine: AsyncEngine, node: TracedNode, stored: Sequence[Stored]) -> None:
    async with runtime(engine, node) as running:
        running.offer([each.envelope for each in stored if each.envelope is not None])
        await until(engine, "SELECT count(*) FROM inbox WHERE handled_at IS NULL")


async def delivered(engine: AsyncEngine, node: TracedNode) -> None:
    outbox = PostgresOutbox(engine, lambda: node.run)
    calls = Calls(
        texts=Texts("en"),
        roster=FixedRoster(),
        directory=FixedDirectory(),
        tags=outbox,
        links=NoLinks(),
    )
    delivery = Delivery(
        outbox=ObservedOutbox(outbox, node.traces),
        call=FakeApi(),
        calls=calls,
        pace=Pace(UNPACED, anyio.current_time),
        marks=MemoryMarks(),
        presses=MemoryPresses(),
        mailroom=MemoryMailroom(),
    )
    async with anyio.create_task_group() as group:
        await group.start(delivery.run)
        await until(engine, "SELECT count(*) FROM outbox WHERE settled_at IS NULL")
        group.cancel_scope.cancel()


async def test_one_trace_goes_from_an_update_on_one_node_to_the_calls_of_another(
    engine: AsyncEngine,
) -> None:
    first, second = await a_node(engine, "first"), await a_node(engine, "second")
    inbox = ObservedInbox(PostgresInbox(engine, MAIN_CHAT), first.traces)
    await handled(engine, first, await inbox.put([update(first)]))
    await execute(engine, "UPDATE nodes SET status = 'dead' WHERE name = 'first'")
    assert await PostgresTicketStore(engine, lambda: second.run, MAIN_CHAT).revive(10)
    await delivered(engine, second)

    began, then = first.spans, second.spans
    assert set(began) == {"update", "inbox", "turn", "commit"}
    assert set(then) == {"call"}
    everything = [span for found in (began, then) for each in found.values() for span in each]
    assert len({span.context.trace_id for span in everything if span.context}) == 1

    [received], [stored] = began["update"], began["inbox"]
    [turn], [commit] = began["turn"], began["commit"]
    assert received.parent is None
    for child, parent in ((stored, received), (turn, stored), (commit, turn)):
        assert child.parent is not None
        assert parent.context is not None
        assert child.parent.span_id == parent.context.span_id
    sent = await scalar(engine, "SELECT count(*) FROM outbox WHERE state = 'sent'")
    assert len(then["call"]) == sent >= 3
    effects = {span.attributes["topicdesk.effect"] for span in then["call"] if span.attributes}
    assert {"OpenTopic", "ShowCard", "Copy"} <= effects
    for call in then["call"]:
        assert call.parent is not None
        assert turn.context is not None
        assert call.parent.span_id == turn.context.span_id
        assert call.resource.attributes["service.instance.id"] == "second"


async def test_spans_tell_nobody_and_nothing_that_was_written(engine: AsyncEngine) -> None:
    node = await a_node(engine, "first")
    inbox = ObservedInbox(PostgresInbox(engine, MAIN_CHAT), node.traces)
    await handled(engine, node, await inbox.put([update(node)]))
    allowed = {"key", "ticket", "seq", "message", "turns", "outbox_id", "effect", "lane", "attempt"}
    for span in node.exporter.get_finished_spans():
        assert span.attributes is not None
        assert {name.removeprefix("topicdesk.") for name in span.attributes} <= allowed
        assert all(isinstance(v, int) or len(str(v)) < 40 for v in span.attributes.values())


async def test_a_message_that_comes_again_or_fails_ends_its_spans(engine: AsyncEngine) -> None:
    node = await a_node(engine, "first")
    inbox = ObservedInbox(PostgresInbox(engine, MAIN_CHAT), node.traces)
    await inbox.put([update(node)])
    await inbox.put([update(node)])
    assert len(node.spans["update"]) == 2
    incoming = update(node)
    with pytest.raises(Transient), node.traces.storing([incoming]):
        raise Transient("Postgres is away")
    assert len(node.spans["update"]) == 2
    assert node.spans["inbox"][-1].status.status_code is StatusCode.ERROR
    await inbox.put([incoming])
    assert len(node.spans["update"]) == 3


def an_envelope(stored: Sequence[Stored]) -> Envelope:
    [each] = stored
    assert each.envelope is not None
    return each.envelope


async def test_a_turn_that_fails_says_so_and_what_was_not_handled_is_not_told(
    engine: AsyncEngine,
) -> None:
    node = await a_node(engine, "first")
    inbox = ObservedInbox(PostgresInbox(engine, MAIN_CHAT), node.traces)
    one = an_envelope(await inbox.put([update(node)]))
    two = an_envelope(await inbox.put([update(node, 2)]))
    with suppress(KeyError), node.traces.turn([one, two]) as mail:
        assert [each.trace for each in mail] != [one.trace, two.trace]
        assert mail == [one, two]
        raise KeyError
    [failed] = node.spans["turn"]
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description == "KeyError"


async def test_updates_that_never_end_are_bounded(engine: AsyncEngine) -> None:
    node = await a_node(engine, "first", open_max=5)
    for _ in range(20):
        node.traces.begin()
    assert len(node.spans["update"]) == 15


async def test_what_the_sampler_leaves_out_is_not_carried_either(engine: AsyncEngine) -> None:
    traces = Traces(TracerProvider(sampler=ALWAYS_OFF))
    node = replace(await a_node(engine, "first"), traces=traces)
    assert traces.begin() is None
    inbox = ObservedInbox(PostgresInbox(engine, MAIN_CHAT), traces)
    await handled(engine, node, await inbox.put([update(node)]))
    assert await scalar(engine, "SELECT count(*) FROM inbox WHERE trace IS NOT NULL") == 0
    assert await scalar(engine, "SELECT count(*) FROM outbox WHERE trace IS NOT NULL") == 0


async def test_the_library_is_not_even_imported_without_its_setting() -> None:
    script = "import sys, bootstrap.app; print(*sys.modules)"
    done = await anyio.run_process([sys.executable, "-c", script])
    imported = set(done.stdout.decode().split())
    assert "bootstrap.telemetry" in imported
    # Redis's client imports the API by itself, where it is.
    assert not {"bootstrap.tracing", "opentelemetry.sdk.trace", "sentry_sdk"} & imported
