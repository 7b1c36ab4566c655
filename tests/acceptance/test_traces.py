"""Traces of the whole program reach a collector, by webhook and by polling."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.acceptance.desk import Helpdesk

pytestmark = pytest.mark.anyio


class Collector:
    """Takes OTLP over HTTP; ``spans`` holds name, trace, own id and parent's id of what came."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, bytes, bytes, bytes]] = []
        self.nodes: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                outer.take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the test looks at what came."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for attribute in resource.resource.attributes:
                if attribute.key == "service.instance.id":
                    self.nodes.add(attribute.value.string_value)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found = (span.name, span.trace_id, span.span_id, span.parent_span_id)
                    self.spans.append(found)

    @classmethod
    @contextmanager
    def serve(cls) -> Iterator["Collector"]:
        collector = cls()
        thread = threading.Thread(target=collector._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            collector._server.shutdown()
            collector._server.server_close()
            thread.join()


async def test_what_the_program_did_arrives_as_one_trace_for_each_update(
    mode: str, postgres_dsn: str, redis_url: str
) -> None:
    with Collector.serve() as collector:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "NODE_NAME": "desk-7"}
        async with Helpdesk.open(mode, postgres_dsn, redis_url, **more) as desk:
            case = await desk.opens(desk.ivan)
            await desk.staff_writes(case, "Посмотрим")
            await desk.settles()
        spans = list(collector.spans)
    assert collector.nodes == {"desk-7"}
    traces: dict[bytes, list[str]] = {}
    for name, trace, _, _ in spans:
        traces.setdefault(trace, []).append(name)
    told = [sorted(set(names)) for names in traces.values() if "call" in names]
    assert len(told) == 2  # the client's message and the answer
    assert all(names == ["call", "commit", "inbox", "turn", "update"] for names in told)
    own = {span_id for _, _, span_id, _ in spans}
    assert all(parent in own for name, _, _, parent in spans if name != "update")
