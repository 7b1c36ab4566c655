"""Errors for Sentry, without people's data. Needs the extra ``sentry``; nothing of it runs without.

What is sent are the lines that are logged as errors, with their tracebacks, ticket and node; no
requests, no local variables, no breadcrumbs, and every text of it is masked as the logs are.
"""

import importlib
import importlib.util
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from actors.errors import TopicdeskError
from bootstrap.masking import Mask

KEPT: Final = ("event_id", "timestamp", "level", "platform", "release", "environment", "sdk")
"""What holds nothing of anybody's and must stay as it is."""

MASKED: Final = (
    *("exception", "logentry", "message", "logger", "tags", "extra", "server_name", "modules"),
    *("fingerprint", "threads"),
)
"""What goes out masked. All else, a request or a user above all, does not."""

ELSEWHERE: Final = frozenset(
    {"level", "logger", "event", "node", "ticket_id", "timestamp", "exc_info", "stack_info"}
)
"""Fields of a line that have a place of their own in an event of Sentry's."""

LEVELS: Final = {"error": "error", "exception": "error", "critical": "fatal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentryOptions:
    """How much is told. Times in seconds."""

    per_kind_max: int = 10
    """Events of one kind within the window: the eleventh says nothing new."""

    window_s: float = 60.0

    kinds_max: int = 256
    """Kinds that are counted; the one longest unseen is forgotten first."""

    flush_s: float = 2.0
    """How long the end of the program waits for what is on its way."""


class MissingSentry(TopicdeskError):
    """The extra is not installed."""


class Telling:
    """A structlog processor that tells Sentry of errors; runs while exceptions are still objects.

    Sending is done by a thread of the SDK with a bounded queue: the loop never waits for it.
    """

    def __init__(
        self,
        sdk: Any,
        node: str,
        options: SentryOptions,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._sdk = sdk
        self._node = node
        self._options = options
        self._clock = clock
        self._told: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __call__(
        self, logger: Any, method: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        name = str(line.get("logger") or getattr(logger, "name", "topicdesk"))
        if method in LEVELS and self._may_tell(f"{name}:{line.get('event')}"):
            self._sdk.capture_event(self._event(method, name, line))
        return line

    def close(self) -> None:
        """Waits a little for what is on its way."""
        self._sdk.get_client().close(timeout=self._options.flush_s)

    def _event(self, method: str, name: str, line: Mapping[str, Any]) -> dict[str, Any]:
        ticket = line.get("ticket_id")
        event: dict[str, Any] = {
            "level": LEVELS[method],
            "logger": name,
            "logentry": {"message": str(line.get("event", ""))},
            "tags": {"node": self._node} | ({} if ticket is None else {"ticket": str(ticket)}),
            # An underscore begins what structlog puts there itself.
            "extra": {k: v for k, v in line.items() if k not in ELSEWHERE and k[:1] != "_"},
        }
        error = sys.exc_info() if line.get("exc_info") is True else line.get("exc_info")
        if isinstance(error, BaseException) or (isinstance(error, tuple) and error[0] is not None):
            event["exception"] = self._exception(error)
        return event

    def _exception(self, error: BaseException | tuple[Any, ...]) -> Any:
        utils = importlib.import_module("sentry_sdk.utils")
        options = self._sdk.get_client().options
        how = {"type": "logging", "handled": True}
        event, _ = utils.event_from_exception(error, client_options=options, mechanism=how)
        return event["exception"]

    def _may_tell(self, kind: str) -> bool:
        now = self._clock()
        since, count = self._told.pop(kind, (now, 0))
        if now - since >= self._options.window_s:
            since, count = now, 0
        self._told[kind] = (since, count + 1)
        if len(self._told) > self._options.kinds_max:
            self._told.popitem(last=False)
        return count < self._options.per_kind_max


def start_sentry(
    dsn: str,
    *,
    node: str,
    release: str,
    mask: Mask,
    options: SentryOptions | None = None,
) -> Telling:
    """Connects to nothing yet; a wrong address is found out when the first error is sent.

    Raises:
        MissingSentry: The extra is not installed.
    """
    if importlib.util.find_spec("sentry_sdk") is None:
        raise MissingSentry("SENTRY_DSN is set; install the extra: pip install 'topicdesk[sentry]'")
    sdk = importlib.import_module("sentry_sdk")
    ending = importlib.import_module("sentry_sdk.integrations.excepthook")
    options = options or SentryOptions()
    sdk.init(
        dsn=dsn,
        release=f"topicdesk@{release}",
        server_name=node,
        default_integrations=False,  # they would add requests, breadcrumbs and log lines unmasked
        integrations=[ending.ExcepthookIntegration()],
        before_send=lambda event, _: masked(event, mask),
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        shutdown_timeout=options.flush_s,
    )
    sdk.set_tag("node", node)  # for what ends the program, too
    return Telling(sdk, node, options)


def masked(event: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """The event without what is not known to be harmless, and what is left without people."""
    kept = {name: event[name] for name in KEPT if name in event}
    for name in MASKED:
        if name in event:
            kept[name] = mask.value(_without_variables(event[name]), "", 0)
    return kept


def _without_variables(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_variables(each) for name, each in value.items() if name != "vars"}
    return [_without_variables(each) for each in value] if isinstance(value, list) else value
