"""Traces by OpenTelemetry: update → inbox → turn → commit → call, one trace through all nodes.

The trace goes on where the work does: its ``traceparent`` lies beside the message in the inbox and
beside the effect in the outbox, so whoever handles or sends it, on whatever node and after whatever
crash, adds to the same trace. Spans say what was done, for which ticket and how it ended; never who
wrote or what. Needs the extra ``otel``, and is not even imported without its setting.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import anyio.to_thread
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from actors.messages import Envelope
from actors.ports import Incoming, OutboxRow, Sent, Settlement, Superseded, Turn

_PARENT: Final = "traceparent"
_context = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceOptions:
    """Bounds. Times in seconds."""

    open_max: int = 10_000
    """Spans under way of one kind; the oldest is ended as it is when there are more."""

    export_s: float = 5.0
    """A collector that takes longer for a batch does not get it."""

    end_s: float = 3.0
    """How long the end of the program waits for the last batch."""


class Traces:
    """Makes the spans of one node, for those messages whose trace is sampled.

    Implements :class:`supervisor.observer.Observer` and ``bootstrap.observed.EdgeObserver``.
    """

    def __init__(self, provider: TracerProvider, options: TraceOptions | None = None) -> None:
        self._options = options or TraceOptions()
        self._provider = provider
        self._tracer: Tracer = provider.get_tracer("topicdesk")
        most = self._options.open_max
        self._updates = _Open[str](most)
        self._turns = _Open[str](most)
        self._calls = _Open[int](most)

    async def aclose(self) -> None:
        """Sends what is left, if the collector takes it soon."""
        with anyio.move_on_after(self._options.end_s, shield=True):
            await anyio.to_thread.run_sync(self._provider.shutdown, abandon_on_cancel=True)

    # --- the way in -------------------------------------------------------------------------

    def begin(self) -> str | None:
        """A new trace for an update; ``None`` where the sampler wants none."""
        span = self._tracer.start_span("update", Context(), SpanKind.CONSUMER)
        if not span.is_recording():
            return None
        trace = _carried(span)
        self._updates.put(trace, span)
        return trace

    @contextmanager
    def storing(self, batch: Sequence[Incoming]) -> Iterator[Sequence[Incoming]]:
        """Ends the updates' spans once they are stored; a failed try leaves them open."""
        spans: list[Span] = []
        traced: list[Incoming] = []
        for incoming in batch:
            if incoming.trace is None:
                traced.append(incoming)
                continue
            facts = {"topicdesk.key": incoming.key}
            spans.append(self._begin("inbox", incoming.trace, facts))
            traced.append(replace(incoming, trace=_carried(spans[-1])))
        with _ended(spans):
            yield traced
        for incoming in batch:
            if incoming.trace is not None:
                self._updates.end(incoming.trace)

    # --- the runtime ------------------------------------------------------------------------

    @contextmanager
    def turn(self, envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
        """Spans for all that may be handled; of those that were not nothing is told."""
        begun: list[str] = []
        traced: list[Envelope] = []
        for envelope in envelopes:
            if envelope.trace is None:
                traced.append(envelope)
                continue
            facts: dict[str, str | int] = {
                "topicdesk.ticket": int(envelope.ticket_id),
                "topicdesk.seq": int(envelope.seq),
                "topicdesk.message": type(envelope.message).__name__,
            }
            span = self._begin("turn", envelope.trace, facts)
            begun.append(_carried(span))
            self._turns.put(begun[-1], span)
            traced.append(replace(envelope, trace=begun[-1]))
        try:
            yield traced
        except BaseException as error:
            for trace in begun[:1]:  # the first is the one at fault, if one is
                self._turns.end(trace, type(error).__name__)
            raise
        finally:
            for trace in begun:
                self._turns.forget(trace)

    @contextmanager
    def commit(self, turns: Sequence[Turn]) -> Iterator[None]:
        """A span in the trace of each turn: the transaction is theirs in common."""
        spans: list[Span] = []
        for turn in turns:
            trace = next((e.trace for e, _ in turn.steps if e.trace is not None), None)
            if trace is not None:
                facts = {"topicdesk.ticket": int(turn.ticket_id), "topicdesk.turns": len(turns)}
                spans.append(self._begin("commit", trace, facts))
        with _ended(spans):
            yield

    def handled(self, turn: Turn) -> None:
        for envelope, _ in turn.steps:
            if envelope.trace is not None:
                self._turns.end(envelope.trace)

    def claimed(self, tickets: int) -> None:
        """Belongs to no message."""

    # --- the way out ------------------------------------------------------------------------

    def starting(self, rows: Sequence[OutboxRow]) -> None:
        for row in rows:
            if row.trace is not None:
                facts: dict[str, str | int] = {
                    "topicdesk.ticket": int(row.ticket_id),
                    "topicdesk.outbox_id": row.id,
                    "topicdesk.effect": type(row.effect).__name__,
                    "topicdesk.lane": row.lane.partition(":")[0],
                    "topicdesk.attempt": row.attempts + 1,
                }
                self._calls.put(row.id, self._begin("call", row.trace, facts, SpanKind.CLIENT))

    def settled(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            good = isinstance(settlement, Sent | Superseded)
            self._calls.end(settlement.row.id, None if good else type(settlement).__name__)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """The call's own span begins with its record, which knows its trace."""
        yield

    # ----------------------------------------------------------------------------------------

    def _begin(
        self,
        name: str,
        trace: str,
        facts: Mapping[str, str | int],
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        parent = _context.extract({_PARENT: trace})
        return self._tracer.start_span(name, parent, kind, facts)


class _Open[Key]:
    """Spans under way, bounded."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._spans: OrderedDict[Key, Span] = OrderedDict()

    def put(self, key: Key, span: Span) -> None:
        self.end(key, "begun again")
        self._spans[key] = span
        if len(self._spans) > self._most:
            self._spans.popitem(last=False)[1].end()

    def end(self, key: Key, failed: str | None = None) -> None:
        span = self._spans.pop(key, None)
        if span is not None:
            _end(span, failed)

    def forget(self, key: Key) -> None:
        """Not ended, so never told."""
        self._spans.pop(key, None)


@contextmanager
def _ended(spans: Sequence[Span]) -> Iterator[None]:
    failed: str | None = None
    try:
        yield
    except BaseException as error:
        failed = type(error).__name__
        raise
    finally:
        for span in spans:
            _end(span, failed)


def _end(span: Span, failed: str | None) -> None:
    if failed is not None:
        span.set_status(Status(StatusCode.ERROR, failed))
    span.end()


def _carried(span: Span) -> str:
    """What lies beside a message or an effect."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def start_traces(
    endpoint: str, *, node: str, version: str, options: TraceOptions | None = None
) -> Traces:
    """Traces that go to a collector. ``endpoint`` is its base address, as in the specification.

    A collector that is away costs nothing but what it would have been told. Sampler, headers and
    sizes of batches are set by OpenTelemetry's own variables.
    """
    options = options or TraceOptions()
    resource = Resource.create(
        {"service.name": "topicdesk", "service.instance.id": node, "service.version": version}
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=options.export_s)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider, options)
