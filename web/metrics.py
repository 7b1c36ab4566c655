"""What Prometheus fetches."""

from typing import Protocol

from quart import Quart, Response, request

PATH = "/metrics"


class MetricsSource(Protocol):
    async def text(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type, chosen by what the asker accepts."""


def add_metrics(app: Quart, source: MetricsSource) -> None:
    """Adds the route; the app's guard opens it to this machine and to who brings the token."""

    async def metrics() -> Response:
        body, kind = await source.text(request.headers.get("Accept", ""))
        return Response(body, content_type=kind)

    app.add_url_rule(PATH, "metrics", metrics)
