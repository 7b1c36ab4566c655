"""Logs are data: one JSON object a line (or colours on a terminal), masked, also the libraries'.

Every line carries ``timestamp``, ``level``, ``logger``, ``event``, ``node``, ``ticket_id`` and
``update_id``; the last two are bound with ``structlog.contextvars.bound_contextvars`` by whoever
handles a ticket or an update, and are null elsewhere.
"""

import json
import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
from structlog.typing import Processor

from bootstrap.masking import Mask

QUIET: Final = {
    "aiogram.event": logging.WARNING,  # a line per update, which the intake writes already
    "aiohttp.access": logging.WARNING,
    "hypercorn.access": logging.WARNING,
    "alembic": logging.WARNING,  # six lines on a schema that is up to date
    "asyncio": logging.WARNING,
}
"""Loggers of libraries that say at INFO what nobody needs."""

FIRST: Final = ("timestamp", "level", "logger", "event", "node", "ticket_id", "update_id")


def configure_logging(
    *,
    level: str,
    style: Literal["auto", "json", "console"],
    node: str,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    tell: Processor | None = None,
) -> None:
    """Sends structlog's and the standard library's lines to ``stream`` (standard error).

    May be called again; the last call counts. ``auto`` is ``console`` on a terminal, else JSON.
    ``tell`` sees each line as well, unmasked and with its exception.
    """
    stream = stream or sys.stderr
    console = style == "console" or (style == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([] if tell is None else [tell]),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _Fields(node=node, keep_empty=not console),
        Mask(secrets),
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the pretty one shows locals
        )
        if console
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    number = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Factory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                *shared,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, number))
    logging.captureWarnings(capture=True)


class _Factory:
    """Makes loggers that know their name: the first argument of ``get_logger``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, *args: Any) -> "_Logger":
        return _Logger(self._stream, str(args[0]) if args else "topicdesk")


class _Logger(structlog.WriteLogger):
    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream)
        self.name = name


class _Fields:
    """Puts the fields that each line has in front, in one order."""

    def __init__(self, *, node: str, keep_empty: bool) -> None:
        self._node = node
        self._keep_empty = keep_empty

    def __call__(
        self, logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        del method
        event["node"] = self._node
        event.setdefault("logger", getattr(logger, "name", "topicdesk"))
        ordered = {name: event.pop(name, None) for name in FIRST}
        if not self._keep_empty:
            ordered = {name: value for name, value in ordered.items() if value is not None}
        return {**ordered, **event}


def _json(event: Any, **_: Any) -> str:
    try:
        return orjson.dumps(event).decode()
    except TypeError:  # half a surrogate pair, or an integer of more than 64 bits
        return json.dumps(event, default=repr)
