"""What Prometheus fetches."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from quart import Quart, Response, request

from web.access import Access, AccessOptions, Entry

PATH = "/metrics"


class MetricsSource(Protocol):
    async def text(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type, chosen by what the asker accepts."""


def add_metrics(app: Quart, source: MetricsSource, token: str | None) -> None:
    """Adds the route; open to this machine itself and to whoever brings the status token."""
    local = Access(AccessOptions(), time.time)
    known = None if token is None else Access(AccessOptions(token=token), time.time)

    async def metrics() -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        scope: Mapping[str, Any] = request.scope
        client = scope.get("client")
        peer = client[0] if client else None
        may = any(
            access is not None and access.check(peer, headers, None, loopback=True) is Entry.ALLOWED
            for access in (local, known)
        )
        if not may:
            return Response("the status token is needed\n", 401, content_type="text/plain")
        body, kind = await source.text(headers.get("accept", ""))
        return Response(body, content_type=kind)

    app.add_url_rule(PATH, "metrics", metrics)
