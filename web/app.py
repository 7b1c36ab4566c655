"""What people and balancers see over HTTP: the pages, the API, health. Quart.

Updates from Telegram do not come through here (``web/webhook.py`` takes them before). Every route
is closed unless it is named here as open: who asks is found out before the route is.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import anyio
import structlog
from quart import Quart, Response, g, request
from werkzeug.exceptions import HTTPException

from web.access import COOKIE, Access, AccessOptions, Entry, Guest, User
from web.answers import answer, of_http_error, problem
from web.api import Api, add_api
from web.login import Doors, way_in
from web.pages import LANGUAGE_COOKIE, add_pages, message_page
from web.server import CLOSING, LOOPBACK
from web.site import Handler, Site, Visitor
from web.status import Hands, SharedOverview, Sight
from web.stream import Stream
from web.texts import Words, choose

OPEN: Final = frozenset({"alive", "login", "static_file"})
"""Endpoints for everybody: alive or not, the way in, and the looks of the way in."""

PROBES: Final = frozenset({"ready", "metrics"})
"""Endpoints that answer to this machine without a login, and from elsewhere with the token."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

CSRF_HEADER: Final = "X-CSRF-Token"

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """How the pages behave. Times in seconds."""

    status_token: str | None = field(default=None, repr=False)
    """Without one, and without users, the page opens only on a server that only this machine can
    reach."""

    users: tuple[User, ...] = ()

    secret: str = field(default="", repr=False)
    """Known to all nodes and to nobody else; part of what signs the sessions."""

    language: str = "ru"
    """For browsers that ask for a language that there is not."""

    snapshot_interval_s: float = 1.0
    """Everybody who looks within this time sees the same picture; a stream sends as often."""

    body_bytes_max: int = 16_384
    """What is sent to us here is a login or a reason."""

    streams_max: int = 100
    """Pages that are open at once; each costs a connection and a message a second."""

    stream_s: float = 3600.0
    """Then the browser connects anew, and shows its right to look again."""


def create_app(sight: Sight, hands: Hands, options: WebOptions | None = None) -> Quart:
    """The Quart application; it needs no start-up of its own and owns no task."""
    options = options or WebOptions()
    app = Quart(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = options.body_bytes_max
    access = Access(
        AccessOptions(token=options.status_token, users=options.users, secret=options.secret),
        time.time,
    )
    site = LiveSite(options.language)
    guard = _Guard(access, site)
    shared = SharedOverview(sight.overview, options.snapshot_interval_s)
    stream = Stream(shared, streams_max=options.streams_max, stream_s=options.stream_s)
    doors = Doors(access, site, peer)
    app.before_request(guard.let_in)
    app.add_url_rule("/healthz", "alive", _alive)
    app.add_url_rule("/readyz", "ready", _Ready(sight).answer)
    app.add_url_rule("/login", "login", doors.login, methods=["GET", "POST"])
    app.add_url_rule("/logout", "logout", doors.logout, methods=["POST"])
    add_api(app, Api(sight, hands, shared, stream, _closing))
    add_pages(app, site)
    app.register_error_handler(HTTPException, partial(_http_error, site))
    app.register_error_handler(Exception, _bug)
    app.after_request(_harden)
    return app


class LiveSite:
    """Implements :class:`web.site.Site`: the guard has let in whoever reaches a page."""

    def __init__(self, language: str) -> None:
        self._language = language

    def guarded(self, handler: Handler) -> Handler:
        """The handler as it is: every route is guarded before it is reached."""
        return handler

    def visitor(self) -> Visitor:
        guest = cast("Guest", g.guest)
        return Visitor(
            name=guest.name, role=guest.role, csrf=guest.csrf, can_sign_out=guest.by_cookie
        )

    def words(self) -> Words:
        wishes = (
            request.args.get("lang"),
            request.cookies.get(LANGUAGE_COOKIE),
            request.headers.get("Accept-Language"),
        )
        return Words(choose(*wishes, default=self._language))


class _Guard:
    """Before each request: who asks, may they, and did they mean it."""

    def __init__(self, access: Access, site: Site) -> None:
        self._access = access
        self._site = site

    async def let_in(self) -> Response | None:
        """Nothing to let the request through, else the answer."""
        if request.endpoint in OPEN:
            return None
        headers, cookie = request_headers(), request.cookies.get(COOKIE)
        if request.endpoint in PROBES and self._access.may_probe(peer(), headers):
            return None
        loopback = bool(scope().get(LOOPBACK))
        entry = self._access.check(peer(), headers, cookie, loopback=loopback)
        if isinstance(entry, Entry):
            return await self._stranger(entry)
        g.guest = entry
        if request.method in SAFE_METHODS:
            return None
        return await self._action(entry, headers)

    async def _action(self, guest: Guest, headers: Mapping[str, str]) -> Response | None:
        given = request.headers.get(CSRF_HEADER)
        leaving = request.endpoint == "logout"
        if leaving and given is None:
            given = (await request.form).get("csrf")
        if not self._access.is_genuine(guest, headers, given):
            log.warning("action_not_genuine", by=guest.name, path=request.path, peer=peer())
            return problem(403, "csrf", "the page is too old, or this was not asked for by it")
        if not guest.may_act and not leaving:
            return problem(403, "viewer", "you may look, but not change anything")
        return None

    async def _stranger(self, entry: Entry) -> Response:
        is_page = not request.path.startswith("/api/") and request.endpoint not in PROBES
        if entry is Entry.LOGIN:
            if is_page and request.method in SAFE_METHODS:
                return redirect(way_in(request.full_path.rstrip("?")))
            response = problem(401, "login", "sign in, or send the token")
            response.headers["WWW-Authenticate"] = 'Bearer realm="topicdesk"'
            return response
        if is_page and request.method in SAFE_METHODS:
            return Response(await message_page(self._site.words(), "closed"), 403)
        text = "set STATUS_TOKEN or STATUS_USERS to open this from elsewhere"
        return problem(403, "closed", text)


class _Ready:
    """``/readyz``, for balancers."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    async def answer(self) -> Response:
        found = await self._sight.readiness()
        return answer(found, 200 if found.ready else 503)


async def _alive() -> Response:
    """The loop turns; nothing else is asked, so that no outage makes anybody restart us."""
    return answer({"status": "alive"})


async def _http_error(site: Site, error: HTTPException) -> Response:
    if error.code == 404 and not request.path.startswith("/api/"):  # noqa: PLR2004
        return Response(await message_page(site.words(), "missing"), 404)
    return of_http_error(error)


async def _bug(error: Exception) -> Response:
    log.error("page_failed", path=request.path, exc_info=error)
    return problem(500, "bug", "internal error; see the log")


def scope() -> Mapping[str, Any]:
    return request.scope


def peer() -> str | None:
    """The address at the other end of the connection, which no header can change."""
    client = scope().get("client")
    return client[0] if client else None


def request_headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def redirect(to: str) -> Response:
    return Response(status=303, headers={"Location": to})


def _closing() -> anyio.Event:
    found: anyio.Event = scope().get(CLOSING) or anyio.Event()
    return found


async def _harden(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
