"""What people and balancers see over HTTP: the status page, its JSON, health. Quart.

Updates from Telegram do not come through here (``web/webhook.py`` takes them before).
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import orjson
import structlog
from quart import Quart, Response, render_template, request, url_for
from werkzeug.exceptions import HTTPException, NotFound

from web.access import COOKIE, Access, AccessOptions, Entry
from web.server import CLOSING, LOOPBACK
from web.status import SharedSnapshots, SnapshotFailed, StatusSource, assess
from web.texts import Words, choose
from web.view import GROUPS, SECTIONS, StatusView, unknown, view

STATIC: Final = Path(__file__).parent / "static"
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

LANGUAGE_COOKIE: Final = "topicdesk_language"
YEAR_S: Final = 365 * 24 * 3600
UNKNOWN: Final = "the status cannot be told; see the log"

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """How the pages behave. Times in seconds."""

    status_token: str | None = field(default=None, repr=False)
    """Without one the page opens only on a server that only this machine can reach."""

    language: str = "ru"
    """For browsers that ask for a language that there is not."""

    snapshot_interval_s: float = 1.0
    """Everybody who looks within this time sees the same picture; a stream sends as often."""

    body_bytes_max: int = 16_384
    """The only thing that is sent to us here is a token."""

    streams_max: int = 50
    """Pages that are open at once; each costs a connection and a message a second."""

    stream_s: float = 3600.0
    """Then the browser connects anew, and shows its right to look again."""


def create_app(source: StatusSource, options: WebOptions | None = None) -> Quart:
    """The Quart application; it needs no start-up of its own and owns no task."""
    options = options or WebOptions()
    app = Quart(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = options.body_bytes_max
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    pages = _Pages(source, options)
    app.add_url_rule("/healthz", view_func=pages.alive)
    app.add_url_rule("/readyz", view_func=pages.ready)
    app.add_url_rule("/", "page", pages.guarded(pages.page))
    app.add_url_rule("/api/status", "status", pages.guarded(pages.status))
    app.add_url_rule("/api/events", "events", pages.guarded(pages.events))
    app.add_url_rule("/static/<name>", view_func=pages.static)
    app.add_url_rule("/login", "login", pages.login, methods=["GET", "POST"])
    app.add_url_rule("/logout", "logout", pages.logout, methods=["POST"])
    app.register_error_handler(HTTPException, pages.http_error)
    app.register_error_handler(Exception, pages.bug)
    app.after_request(_harden)
    return app


class _Pages:
    def __init__(self, source: StatusSource, options: WebOptions) -> None:
        self._options = options
        self._access = Access(AccessOptions(token=options.status_token), time.time)
        self._shared = SharedSnapshots(source, options.snapshot_interval_s)
        self._files = _static_files()
        self._streams = 0

    # --- for balancers ----------------------------------------------------------------------

    async def alive(self) -> Response:
        """The loop turns; nothing else is asked, so that no outage makes anybody restart us."""
        return _json({"status": "alive"})

    async def ready(self) -> Response:
        try:
            picture = await self._shared.get()
        except SnapshotFailed:
            return _json({"ready": False, "reasons": [UNKNOWN]}, 503)
        body = {"ready": picture.ready, "reasons": list(picture.reasons)}
        return _json(body, 200 if picture.ready else 503)

    # --- for people -------------------------------------------------------------------------

    def guarded(
        self, handler: Callable[[], Awaitable[Response]]
    ) -> Callable[[], Awaitable[Response]]:
        """The handler for those who may look; the others are told how."""

        async def guard() -> Response:
            entry = self._access.check(
                _peer(),
                _headers(),
                request.cookies.get(COOKIE),
                loopback=bool(_scope().get(LOOPBACK)),
            )
            if entry is Entry.ALLOWED:
                return await handler()
            if request.path.startswith("/api/"):
                if entry is Entry.NEEDS_TOKEN:
                    return _json({"error": "the token is needed"}, 401)
                return _json({"error": "set STATUS_TOKEN to open this from elsewhere"}, 403)
            if entry is Entry.NEEDS_TOKEN:
                return _redirect(url_for("login"))
            return await self._message("closed", 403)

        return guard

    async def page(self) -> Response:
        words = self._words()
        shown = await self._look(words)
        page = await render_template(
            "status.html",
            t=words,
            view=shown,
            sections=SECTIONS,
            groups=GROUPS,
            can_sign_out=self._access.has_token,
        )
        response = Response(page)
        if "lang" in request.args:
            response.set_cookie(
                LANGUAGE_COOKIE, words.language, max_age=YEAR_S, httponly=True, samesite="Lax"
            )
        return response

    async def status(self) -> Response:
        try:
            picture = await self._shared.get()
        except SnapshotFailed:
            return _json({"error": UNKNOWN}, 503)
        return _json({"verdict": assess(picture), "status": picture})

    async def events(self) -> Response:
        if self._streams >= self._options.streams_max:
            response = _json({"error": "too many pages are open"}, 503)
            response.headers["Retry-After"] = "5"
            return response
        stream = self._stream(self._words(), _scope().get(CLOSING) or anyio.Event())
        response = Response(stream, content_type="text/event-stream; charset=utf-8")
        response.headers["X-Accel-Buffering"] = "no"
        response.timeout = None  # Quart would cut it after a minute
        return response

    async def _stream(self, words: Words, closing: anyio.Event) -> AsyncIterator[bytes]:
        """A view each second, until the browser leaves, the server ends or the hour is over."""
        self._streams += 1
        try:
            ends_at = anyio.current_time() + self._options.stream_s
            while not closing.is_set() and anyio.current_time() < ends_at:
                shown = await self._look(words)
                yield b"data: %b\n\n" % orjson.dumps(shown)
                with anyio.move_on_after(self._options.snapshot_interval_s):
                    await closing.wait()
        finally:
            self._streams -= 1

    async def _look(self, words: Words) -> StatusView:
        try:
            return view(await self._shared.get(), words)
        except SnapshotFailed:
            return unknown(words)

    async def static(self, name: str) -> Response:
        """From memory, by a name that is in the folder: no path of the file system is asked for."""
        if name not in self._files:
            raise NotFound
        body, kind = self._files[name]
        return Response(body, content_type=kind)

    async def login(self) -> Response:
        if not self._access.has_token:
            return _redirect(url_for("page"))
        problem = None
        if request.method == "POST":
            token = (await request.form).get("token", "")
            if self._access.must_wait(_peer()):
                problem = "login-wait"
            elif self._access.is_token(token, _peer()):
                log.info("status_page_opened", peer=_peer())
                return self._signed_in()
            else:
                problem = "login-wrong"
                log.warning("status_token_wrong", peer=_peer())
        page = await render_template("login.html", t=self._words(), problem=problem)
        return Response(page, 429 if problem == "login-wait" else 401 if problem else 200)

    def _signed_in(self) -> Response:
        response = _redirect(url_for("page"))
        value, lasts_s = self._access.session()
        forwarded = request.headers.get("X-Forwarded-Proto", "")
        response.set_cookie(
            COOKIE,
            value,
            max_age=lasts_s,
            httponly=True,
            samesite="Strict",
            secure=request.scheme == "https" or forwarded == "https",
        )
        return response

    async def logout(self) -> Response:
        response = _redirect(url_for("login"))
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    # --- errors -----------------------------------------------------------------------------

    async def http_error(self, error: HTTPException) -> Response:
        code = error.code or 500
        if request.path.startswith("/api/") or code != 404:  # noqa: PLR2004
            response = _json({"error": error.name.lower()}, code)
            for name, value in error.get_headers():
                if name.lower() in {"allow", "retry-after"}:
                    response.headers[name] = value
            return response
        return await self._message("missing", code)

    async def bug(self, error: Exception) -> Response:
        log.error("page_failed", path=request.path, exc_info=error)
        return _json({"error": "internal error; see the log"}, 500)

    async def _message(self, name: str, status: int) -> Response:
        page = await render_template("message.html", t=self._words(), name=name)
        return Response(page, status)

    def _words(self) -> Words:
        return Words(
            choose(
                request.args.get("lang"),
                request.cookies.get(LANGUAGE_COOKIE),
                request.headers.get("Accept-Language"),
                default=self._options.language,
            )
        )


def _scope() -> Mapping[str, Any]:
    return request.scope


def _peer() -> str | None:
    """The address at the other end of the connection, which no header can change."""
    client = _scope().get("client")
    return client[0] if client else None


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _json(value: Any, status: int = 200) -> Response:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_SUBCLASS)
    return Response(body, status, content_type="application/json")


def _static_files() -> dict[str, tuple[bytes, str]]:
    """Content and type of what the pages need; three small files."""
    return {
        file.name: (file.read_bytes(), KINDS[file.suffix])
        for file in STATIC.iterdir()
        if file.suffix in KINDS
    }


def _redirect(to: str) -> Response:
    return Response(status=303, headers={"Location": to})


async def _harden(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Cache-Control"] = "no-store"
    return response
