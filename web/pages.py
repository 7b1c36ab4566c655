"""The pages that operators look at: skeletons with all their texts; numbers come from the API.

Who looks and what they may do is the site's to say, for pages and API alike.
"""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

import orjson
from quart import Quart, Response, render_template, request
from werkzeug.exceptions import NotFound

from web.site import Handler, Site
from web.texts import Words, patterns

STATIC: Final = Path(__file__).parent / "static"

KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served; a licence beside a library is for who reads the source."""

PAGES: Final = {
    "overview": "/",
    "nodes": "/nodes",
    "tickets": "/tickets",
    "delivery": "/delivery",
    "dead": "/dead",
    "tree": "/tree",
}
"""The menu, in its order: template and texts by the name, then the path."""

LANGUAGE_COOKIE: Final = "topicdesk_language"
YEAR_S: Final = 365 * 24 * 3600
STATIC_AGE_S: Final = 3600
"""A file's address carries its content's hash; an old page asks for the old address no longer."""

_HASH_CHARS: Final = 12


def add_pages(app: Quart, site: Site) -> None:
    """Adds the pages and ``/static``; ``/login`` and everything that answers JSON is the app's."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["asset"] = asset
    for name, path in PAGES.items():
        app.add_url_rule(path, f"page_{name}", site.guarded(_page(name, site)))
    ticket = site.guarded(_page("ticket", site))
    app.add_url_rule("/tickets/<int:number>", "page_ticket", ticket)
    app.add_url_rule("/static/<path:name>", "static_file", static_file)


def _page(name: str, site: Site) -> Handler:
    async def page(number: int | None = None) -> Response:
        words = site.words()
        html = await render_template(
            f"{name}.html",
            t=words,
            texts=_client_texts(words.language),
            pages=PAGES,
            page=name,
            visitor=site.visitor(),
            number=number,
        )
        response = Response(html)
        if "lang" in request.args:
            response.set_cookie(
                LANGUAGE_COOKIE, words.language, max_age=YEAR_S, httponly=True, samesite="Lax"
            )
        return response

    return page


async def login_page(words: Words, problem: str | None, *, has_users: bool) -> str:
    """The form that posts to ``/login``: ``token``, or ``user`` and ``password`` (``has_users``).

    ``problem``: the key of what went wrong, such as ``login-wrong``.
    """
    return await render_template("login.html", t=words, problem=problem, has_users=has_users)


async def message_page(words: Words, name: str) -> str:
    """A page that only says something: texts ``<name>-title`` and ``<name>-text``."""
    return await render_template("message.html", t=words, name=name)


@cache
def _client_texts(language: str) -> str:
    """What the modules say by themselves, as JSON: all but hints, which stand in the pages."""
    texts = {key: text for key, text in patterns(language).items() if not _HINT.search(key)}
    return orjson.dumps(texts).decode()


_HINT: Final = re.compile(r"-hint$|^login-|^closed-|^missing-")


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    """Content, type and hash of all that is served, by path: no request reaches the disk."""
    found: dict[str, tuple[bytes, str, str]] = {}
    for file in sorted(STATIC.rglob("*")):
        if file.suffix in KINDS and file.is_file():
            body = file.read_bytes()
            mark = hashlib.sha256(body).hexdigest()[:_HASH_CHARS]
            found[file.relative_to(STATIC).as_posix()] = body, KINDS[file.suffix], mark
    return found


def asset(name: str) -> str:
    """The address of a static file; another content has another address."""
    return f"/static/{name}?{_files()[name][2]}"


async def static_file(name: str) -> Response:
    """One of the known files. Open to all: they say nothing about the desk.

    Raises:
        NotFound: There is none of this name.
    """
    if name not in _files():
        raise NotFound
    body, kind, mark = _files()[name]
    known = request.if_none_match.contains(mark)
    response = Response(b"" if known else body, 304 if known else 200, content_type=kind)
    response.set_etag(mark)
    # Modules import each other by plain names: those are asked for again, and answered by 304.
    named = request.query_string.decode() == mark
    response.headers["Cache-Control"] = (
        f"public, max-age={STATIC_AGE_S}, immutable" if named else "no-cache"
    )
    return response
