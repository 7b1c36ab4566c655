"""The way in and the way out."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import urlencode

import anyio
import structlog
from quart import Response, g, request

from web.access import COOKIE, OPERATOR_NAME, Access
from web.pages import login_page
from web.site import Site

HASHES_AT_ONCE: Final = 2
"""Each takes 80 ms of a core and 32 MB; the others wait."""

NAME_MAX: Final = 200

PAGE_MAX: Final = 500
"""Characters of the address that one comes to after signing in."""

_PAGE: Final = re.compile(r"/(?:[\w-][\w/-]*)?(?:\?[\w=&%.+-]*)?", re.ASCII)
"""A page of ours: a path from the root, never another host's address."""

log = structlog.get_logger(__name__)


def way_in(page: str) -> str:
    """Where to sign in, so that one comes to ``page`` (a path with its query) afterwards."""
    return "/login" if page == "/" else f"/login?{urlencode({'to': page})}"


class Doors:
    """``/login`` and ``/logout``. ``peer`` is the address of who asks."""

    def __init__(self, access: Access, site: Site, peer: Callable[[], str | None]) -> None:
        self._access = access
        self._site = site
        self._peer = peer
        self._hashing: anyio.CapacityLimiter | None = None

    async def login(self) -> Response:
        """The form, and what came of it: the page that ``to`` in the query names."""
        wanted = request.args.get("to", "/")
        page = wanted if len(wanted) <= PAGE_MAX and _PAGE.fullmatch(wanted) else "/"
        if self._access.is_open:
            return _to(page)
        if request.method != "POST":
            return await self._form(None, 200)
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return await self._form("login-wrong", 403)
        peer = self._peer()
        if not self._access.begin_login(peer):
            return await self._form("login-wait", 429)
        name = await self._who()
        if name is None:
            log.warning("login_wrong", peer=peer)
            return await self._form("login-wrong", 401)
        self._access.welcome(peer)
        log.info("signed_in", by=name, peer=peer)
        return self._signed_in(name, page)

    async def logout(self) -> Response:
        """Ends the session in this browser; the guard has seen that it was meant."""
        log.info("signed_out", by=g.guest.name)
        response = _to("/login")
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    async def _who(self) -> str | None:
        """Whose token or password was given."""
        form = await request.form
        token, user, password = (form.get(key, "") for key in ("token", "user", "password"))
        if token or not self._access.has_users:
            return OPERATOR_NAME if self._access.matches_token(token) else None
        name = user.strip()[:NAME_MAX]
        if self._hashing is None:
            self._hashing = anyio.CapacityLimiter(HASHES_AT_ONCE)
        matches = partial(self._access.matches, name, password)
        right = await anyio.to_thread.run_sync(matches, limiter=self._hashing)
        return name if right else None

    async def _form(self, problem: str | None, status: int) -> Response:
        has_users = self._access.has_users
        page = await login_page(self._site.words(), problem, has_users=has_users)
        return Response(page, status)

    def _signed_in(self, name: str, page: str) -> Response:
        response = _to(page)
        value, lasts_s = self._access.session(name)
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


def _to(path: str) -> Response:
    return Response(status=303, headers={"Location": path})
