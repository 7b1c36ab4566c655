"""Traces, where they are wanted: elsewhere not even their library is imported."""

import importlib
from typing import TYPE_CHECKING

from actors.errors import TopicdeskError
from bootstrap.settings import Settings
from bootstrap.status import program_version

if TYPE_CHECKING:
    from bootstrap.tracing import Traces


class MissingTraces(TopicdeskError):
    """The extra is not installed."""


def wanted_traces(settings: Settings) -> "Traces | None":
    """What takes traces, ``None`` where no collector is named.

    Raises:
        MissingTraces: The extra is not installed.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        return None
    try:
        tracing = importlib.import_module("bootstrap.tracing")
    except ModuleNotFoundError as error:
        name = "OTEL_EXPORTER_OTLP_ENDPOINT"
        raise MissingTraces(
            f"{name} is set; install the extra: pip install 'topicdesk[otel]'"
        ) from error
    traces: Traces = tracing.start_traces(
        endpoint, node=settings.node_name, version=program_version()
    )
    return traces
