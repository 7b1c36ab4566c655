"""The API: what is seen as JSON, and what operators do. Described by ``/api/openapi.json``."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

import anyio
import orjson
from quart import Quart, Response, g, request
from quart_schema import (
    QuartSchema,
    document_response,
    tag,
    validate_querystring,
    validate_request,
)

from web.answers import answer, problem, written
from web.shapes import (
    DeadFilter,
    DeadLetters,
    DeliveryShape,
    Done,
    DoneMany,
    History,
    HistoryQuery,
    ManyDropped,
    ManyRetried,
    Move,
    Nodes,
    Overview,
    Problem,
    Reason,
    StreamQuery,
    TicketDetail,
    TicketFilter,
    Tickets,
    Tree,
)
from web.status import Changed, Hands, NotThere, Refused, SharedOverview, Sight, Unavailable
from web.stream import Stream

TICKET: Final = "/api/tickets/<int(min=1, max=9223372036854775807):number>"
DEAD: Final = "/api/dead/<int(min=1, max=9223372036854775807):number>"
NODE: Final = "/api/nodes/<string(maxlength=200):name>"

UNKNOWN: Final = "the status cannot be told; see the log"

type Handler = Callable[..., Awaitable[Response]]


class Api:
    """Handlers of ``/api``. Who may is asked before they are reached."""

    def __init__(
        self,
        sight: Sight,
        hands: Hands,
        shared: SharedOverview,
        stream: Stream,
        closing: Callable[[], anyio.Event],
    ) -> None:
        self._sight = sight
        self._hands = hands
        self._shared = shared
        self._stream = stream
        self._closing = closing

    # --- seeing -----------------------------------------------------------------------------

    async def status(self) -> Response:
        """The overview: all of the desk at one moment."""
        picture = await self._shared.get()
        return problem(503, "away", UNKNOWN) if picture is None else written(picture)

    async def stream(self, query_args: StreamQuery) -> Response:
        """The overview as server-sent events named ``status``, one each second or so."""
        return self._stream.answer(self._closing(), query_args.every)

    async def nodes(self) -> Response:
        """Living nodes, and those that died within the last day."""
        return answer(await self._sight.nodes())

    async def tickets(self, query_args: TicketFilter) -> Response:
        """The worst of the tickets that match, and counts of all that do."""
        return answer(await self._sight.tickets(query_args))

    async def ticket(self, number: int) -> Response:
        """One ticket with all that waits for it."""
        return answer(await self._sight.ticket(number))

    async def delivery(self) -> Response:
        """Lanes, budgets, pauses and bots."""
        return answer(await self._sight.delivery())

    async def dead_letters(self, query_args: DeadFilter) -> Response:
        """The newest dead letters that match."""
        return answer(await self._sight.dead_letters(query_args))

    async def tree(self) -> Response:
        """The supervision tree of each node."""
        return answer(await self._sight.tree())

    async def history(self, query_args: HistoryQuery) -> Response:
        """Columns for the charts of the last hour or day."""
        return answer(await self._sight.history(query_args.span))

    # --- doing ------------------------------------------------------------------------------

    async def poke(self, number: int) -> Response:
        """Tells the ticket's owner to look at it."""
        return answer(await self._hands.poke(_by(), number))

    async def move(self, number: int, data: Move) -> Response:
        """Gives the ticket to a node; a turn that runs at that moment is fenced."""
        return answer(await self._hands.move(_by(), number, data.node))

    async def quarantine(self, number: int, data: Reason) -> Response:
        """Stops the ticket until it is released."""
        return answer(await self._hands.quarantine(_by(), number, data.why))

    async def release(self, number: int) -> Response:
        """Lets a ticket in quarantine go on."""
        return answer(await self._hands.release(_by(), number))

    async def retry(self, number: int) -> Response:
        """Puts a dead letter's message into the inbox again."""
        return answer(await self._hands.retry(_by(), number))

    async def drop(self, number: int, data: Reason) -> Response:
        """Removes a dead letter."""
        return answer(await self._hands.drop(_by(), number, data.why))

    async def retry_many(self, data: ManyRetried) -> Response:
        """Retries all dead letters that match, each by itself, oldest first."""
        wanted = DeadFilter(ticket=data.ticket, query=data.query)
        return answer(await self._hands.retry_many(_by(), wanted, data.expected))

    async def drop_many(self, data: ManyDropped) -> Response:
        """Removes all dead letters that match."""
        wanted = DeadFilter(ticket=data.ticket, query=data.query)
        return answer(await self._hands.drop_many(_by(), wanted, data.expected, data.why))

    async def drain(self, name: str) -> Response:
        """The node gives all its tickets away and ends, as with SIGTERM."""
        return answer(await self._hands.drain(_by(), name))


def add_api(app: Quart, api: Api) -> None:
    """Adds the routes and their description."""
    QuartSchema(
        app,
        openapi_path="/api/openapi.json",
        redoc_ui_path=None,
        scalar_ui_path=None,
        swagger_ui_path=None,
        info={"title": "topicdesk", "version": "1"},
        conversion_preference="pydantic",
        security_schemes={
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "name": "topicdesk_status", "in_": "cookie"},
        },
        security=[{"token": []}, {"session": []}],
    )
    seen: tuple[tuple[str, Handler, type | None, type | None], ...] = (
        ("/api/status", api.status, Overview, None),
        ("/api/stream", api.stream, None, StreamQuery),
        ("/api/nodes", api.nodes, Nodes, None),
        ("/api/tickets", api.tickets, Tickets, TicketFilter),
        (TICKET, api.ticket, TicketDetail, None),
        ("/api/delivery", api.delivery, DeliveryShape, None),
        ("/api/dead", api.dead_letters, DeadLetters, DeadFilter),
        ("/api/tree", api.tree, Tree, None),
        ("/api/history", api.history, History, HistoryQuery),
    )
    for path, handler, shape, query in seen:
        _add(app, path, handler, "GET", shape, query=query)
    done: tuple[tuple[str, Handler, type, type | None], ...] = (
        (f"{TICKET}/poke", api.poke, Done, None),
        (f"{TICKET}/move", api.move, Done, Move),
        (f"{TICKET}/quarantine", api.quarantine, Done, Reason),
        (f"{TICKET}/release", api.release, Done, None),
        (f"{DEAD}/retry", api.retry, Done, None),
        (f"{DEAD}/drop", api.drop, Done, Reason),
        ("/api/dead/retry", api.retry_many, DoneMany, ManyRetried),
        ("/api/dead/drop", api.drop_many, DoneMany, ManyDropped),
        (f"{NODE}/drain", api.drain, Done, None),
    )
    for path, handler, shape, body in done:
        _add(app, path, handler, "POST", shape, body=body)


def _add(
    app: Quart,
    path: str,
    handler: Handler,
    method: str,
    shape: type | None,
    *,
    query: type | None = None,
    body: type | None = None,
) -> None:
    view: Any = _failing_well(handler)
    if query is not None:
        view = validate_querystring(query)(view)
    if body is not None:
        view = _readable(validate_request(body)(view))
    if shape is not None:
        view = document_response(shape)(view)
    for status in (400, 401, 403, 404, 409, 503) if method == "POST" else (400, 401, 403, 404, 503):
        view = document_response(Problem, status)(view)
    view = tag(["seeing" if method == "GET" else "doing"])(view)
    app.add_url_rule(path, f"api_{handler.__name__}", view, methods=[method])


def _readable(handler: Handler) -> Handler:
    """The handler for a body that is JSON.

    Quart reads it as text and by the standard library: bytes that are no UTF-8, and brackets nested
    thousands deep, would end as bugs of ours.
    """

    @wraps(handler)
    async def view(*args: Any, **kwargs: Any) -> Response:
        try:
            orjson.loads(await request.get_data())
        except orjson.JSONDecodeError:
            return problem(400, "bad_request", "the body is not JSON")
        return await handler(*args, **kwargs)

    return view


def _failing_well(handler: Handler) -> Handler:
    """The handler with its errors as answers."""

    @wraps(handler)
    async def view(*args: Any, **kwargs: Any) -> Response:
        try:
            return await handler(*args, **kwargs)
        except NotThere as error:
            return problem(404, "not_found", str(error))
        except Refused as error:
            return problem(409, "refused", str(error))
        except Changed as error:
            return problem(409, "changed", str(error))
        except Unavailable:
            response = problem(503, "away", "Postgres does not answer")
            response.headers["Retry-After"] = "3"
            return response

    return view


def _by() -> str:
    return str(g.guest.name)
