"""The page's API: the world as people see it, live, and what they do in it.

``GET /lab/world``, ``GET /lab/events`` (server-sent events), ``GET /lab/file/<id>``, and POSTs for
sending, editing, pressing, reacting, topics, new clients and blocking. README.md has the shapes.
"""

import mimetypes
from pathlib import Path
from urllib.parse import quote

import anyio
import orjson
from aiohttp import web

from lab.telegram import bodies, people
from lab.telegram.control import world_view
from lab.telegram.errors import WorldError
from lab.telegram.events import Reader
from lab.telegram.files import FILE_BYTES_MAX, StoredFile
from lab.telegram.model import Json
from lab.telegram.routes import answered, guarded, json_answer
from lab.telegram.view import message_view, topic_view, user_view
from lab.telegram.world import World

PAGE = Path(__file__).parent / "page"
HEARTBEAT_S = 15.0
"""A comment now and then tells the browser, and us, that the stream still stands."""

_SHOWN_INLINE = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "video/mp4",
        "video/webm",
    }
)
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_NEW_CLIENTS = (("Анна", "ru"), ("Liam", "en"), ("Пётр", "ru"), ("Olivia", "en"), ("Дарья", "ru"))


class PageApi:
    """Handlers over one world."""

    def __init__(self, *, world: World, closing: anyio.Event) -> None:
        self._world = world
        self._closing = closing

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._index),
            web.get("/page/{path:.+}", self._static),
            web.get("/favicon.ico", _no_icon),
            web.get("/lab/world", self._show_world),
            web.get("/lab/events", self._events),
            web.get("/lab/file/{file_id}", self._file),
            web.post("/lab/send", self._send),
            web.post("/lab/edit", answered(bodies.PageEdit, self._edit)),
            web.post("/lab/press", answered(bodies.PagePress, self._press)),
            web.post("/lab/react", answered(bodies.PageReact, self._react)),
            web.post("/lab/topic", answered(bodies.PageTopic, self._topic)),
            web.post("/lab/client", answered(bodies.PageClient, self._client)),
            web.post("/lab/block", answered(bodies.PageBlock, self._block)),
        ]

    # --- what the page loads ----------------------------------------------------------------

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return _page_file("index.html")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return _page_file(request.match_info["path"])

    async def _show_world(self, _: web.Request) -> web.StreamResponse:
        return json_answer(world_view(self._world))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        found = self._world.files.get(request.match_info["file_id"])
        if found is None:
            raise web.HTTPNotFound
        inline = found.mime in _SHOWN_INLINE
        shown = "inline" if inline else "attachment"
        return web.Response(
            body=found.data,
            content_type=found.mime if inline else "application/octet-stream",
            headers={
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(found.name)}",
            },
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """A stream from ``Last-Event-ID`` (or ``?after=``) on; without either, from now on."""
        last = request.headers.get("Last-Event-ID") or request.query.get("after") or ""
        after = int(last) if last.isdecimal() else self._world.events.seq
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            }
        )
        await response.prepare(request)
        async with self._world.events.reader(after) as reader:
            try:
                await response.write(b"retry: 1000\n\n")
                while not self._closing.is_set():
                    await _pump(reader, response, self._world)
            except ConnectionError:
                pass  # the page was closed
        return response

    # --- what people do -----------------------------------------------------------------------

    async def _send(self, request: web.Request) -> web.StreamResponse:
        async def run() -> web.Response:
            if request.content_type != "multipart/form-data":
                return self._written(bodies.PageSend.model_validate_json(await request.read()))
            return self._written(*await self._form(request))

        return await guarded(run)

    async def _form(self, request: web.Request) -> tuple[bodies.PageSend, StoredFile | None]:
        fields: dict[str, object] = {}
        part: web.FileField | None = None
        for name, value in (await request.post()).items():
            if name == "file" and isinstance(value, web.FileField):
                part = value
            elif isinstance(value, str) and value:
                fields[name] = orjson.loads(value) if name == "media" else value
        body = bodies.PageSend.model_validate(fields)
        if part is None:
            return body, None
        with part.file as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise WorldError("the file is larger than 20 MB")
        if not data:
            raise WorldError("the file is empty")
        kind = body.kind or _kind_of(part.content_type)
        mime = part.content_type
        stored = self._world.files.add(data, name=part.filename, mime=mime, kind=kind)
        return body.model_copy(update={"kind": kind}), stored

    def _written(self, body: bodies.PageSend, file: StoredFile | None = None) -> web.Response:
        message = people.send(
            self._world,
            body.user_id,
            body.chat_id,
            text=body.text,
            kind=body.kind or "text",
            payload=body.media,
            file=file,
            thread_id=body.thread_id,
            reply_to=body.reply_to,
            anonymous=body.anonymous,
        )
        return json_answer({"message": message_view(message)})

    def _edit(self, body: bodies.PageEdit) -> Json:
        message = people.edit(self._world, body.user_id, body.chat_id, body.message_id, body.text)
        return {"message": message_view(message)}

    def _press(self, body: bodies.PagePress) -> Json:
        callback = people.press(
            self._world,
            body.user_id,
            body.chat_id,
            body.message_id,
            row=body.row,
            column=body.column,
        )
        return {"callback_query_id": callback.id}

    def _react(self, body: bodies.PageReact) -> Json:
        people.react(self._world, body.user_id, body.chat_id, body.message_id, body.emoji)
        return {"ok": True}

    def _topic(self, body: bodies.PageTopic) -> Json:
        topic = people.topic(
            self._world,
            body.user_id,
            body.chat_id,
            body.action,
            thread_id=body.thread_id,
            name=body.name,
        )
        return {"topic": topic_view(topic)}

    def _client(self, body: bodies.PageClient) -> Json:
        count = sum(1 for user in self._world.users.values() if user.is_client)
        name, language = _NEW_CLIENTS[count % len(_NEW_CLIENTS)]
        user = self._world.add_user(
            body.name or f"{name} {count + 1}",
            username=body.username,
            language=body.language or language,
            is_client=True,
        )
        return {"user": user_view(user, self._world)}

    def _block(self, body: bodies.PageBlock) -> Json:
        people.block(self._world, body.user_id, blocked=body.blocked)
        return {"ok": True}


async def _pump(reader: Reader, response: web.StreamResponse, world: World) -> None:
    """Writes what has happened, else waits for more or for the time of a heartbeat."""
    lost, events = reader.read()
    if lost:
        await response.write(_event(world.events.seq, "reset", {}))
    if events:
        parts = [_event(seq, kind, render()) for seq, kind, render in events]
        await response.write(b"".join(parts))
        return
    quiet = True
    with anyio.move_on_after(HEARTBEAT_S):
        await reader.wait()
        quiet = False
    if quiet:
        await response.write(b": still here\n\n")


def _event(seq: int, kind: str, content: Json) -> bytes:
    data = orjson.dumps({"seq": seq, "type": kind, **content})
    return b"id: %d\ndata: %b\n\n" % (seq, data)


def _kind_of(mime: str) -> str:
    """What a messenger makes of a dropped file."""
    if mime in {"image/png", "image/jpeg", "image/webp"}:
        return "photo"
    if mime == "image/gif":
        return "animation"
    family = mime.partition("/")[0]
    if mime in {"audio/ogg", "audio/webm"}:
        return "voice"
    return family if family in {"audio", "video"} else "document"


def _page_file(path: str) -> web.StreamResponse:
    wanted = (PAGE / path).resolve()
    if not wanted.is_relative_to(PAGE.resolve()) or not wanted.is_file():
        raise web.HTTPNotFound
    mime = mimetypes.guess_type(wanted.name)[0] or "application/octet-stream"
    return web.Response(
        body=wanted.read_bytes(),
        headers=PAGE_HEADERS,
        content_type=mime,
        charset="utf-8" if mime.startswith("text/") else None,
    )


async def _no_icon(_: web.Request) -> web.StreamResponse:
    return web.Response(status=204)
