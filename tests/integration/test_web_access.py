"""Who may look and who may act: over real HTTP, with strangers, forgers, viewers and guessers."""

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.fakes.status import Site, open_site
from web.access import COOKIE, OPERATOR_NAME, Access, AccessOptions, Entry, Guest, Role, User
from web.app import WebOptions, create_app
from web.login import way_in
from web.passwords import BadHash, hash_password, read_hash
from web.throttle import Throttle

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-the-test-0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SECRET = "42:of-the-bot"

PASSWORDS = {"olga": "correct horse battery", "vera": "staple of a viewer"}
USERS = (
    User(name="olga", role=Role.OPERATOR, password=hash_password(PASSWORDS["olga"])),
    User(name="vera", role=Role.VIEWER, password=hash_password(PASSWORDS["vera"])),
)

READS = (
    *("/", "/nodes", "/tickets", "/tickets/7", "/delivery", "/dead", "/tree"),
    *("/api/status", "/api/stream", "/api/nodes", "/api/tickets", "/api/tickets/7"),
    *("/api/delivery", "/api/dead", "/api/tree", "/api/history", "/api/openapi.json"),
    *("/nope", "/api/nope"),
)

ACTIONS: tuple[tuple[str, Any], ...] = (
    ("/api/tickets/7/poke", None),
    ("/api/tickets/7/move", {"node": None}),
    ("/api/tickets/7/quarantine", {"why": "it answers itself"}),
    ("/api/tickets/7/release", None),
    ("/api/dead/3/retry", None),
    ("/api/dead/3/drop", {"why": "nobody needs it"}),
    ("/api/dead/retry", {"expected": 3}),
    ("/api/dead/drop", {"expected": 3, "why": "nobody needs them"}),
    ("/api/nodes/desk-1/drain", None),
)


def options(**more: Any) -> WebOptions:
    return WebOptions(secret=SECRET, snapshot_interval_s=0.05, **more)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Open to this machine."""
    async with open_site(options()) as opened:
        yield opened


@pytest.fixture
async def guarded() -> AsyncIterator[Site]:
    async with open_site(options(status_token=TOKEN)) as opened:
        yield opened


@pytest.fixture
async def peopled() -> AsyncIterator[Site]:
    async with open_site(options(users=USERS)) as opened:
        yield opened


async def sign_in(http: aiohttp.ClientSession, site: Site, **form: str) -> int:
    url = f"{site.url}/login"
    async with http.post(url, data=form, allow_redirects=False) as response:
        return response.status


async def csrf(http: aiohttp.ClientSession, site: Site) -> str:
    """As the page has it."""
    async with http.get(site.url) as response:
        page = await response.text()
    return page.partition('<meta name="csrf-token" content="')[2].partition('"')[0]


async def act(
    http: aiohttp.ClientSession, site: Site, path: str, body: Any, **headers: str
) -> tuple[int, Any]:
    async with http.post(site.url + path, json=body, headers=headers) as response:
        return response.status, await response.json()


# --- strangers ------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong-token-0123456"}])
@pytest.mark.parametrize("more", [{"status_token": TOKEN}, {"users": USERS}])
async def test_a_stranger_gets_nothing_from_any_route_but_that_it_is_alive(
    http: aiohttp.ClientSession, headers: dict[str, str], more: dict[str, Any]
) -> None:
    far = {**headers, "X-Forwarded-For": "203.0.113.7"}
    async with open_site(options(**more)) as site:
        for path in READS:
            async with http.get(site.url + path, headers=far, allow_redirects=False) as response:
                if path.startswith("/api/"):
                    assert response.status == 401, path
                    assert (await response.json())["code"] == "login"
                else:
                    assert (response.status, response.headers["Location"]) == (303, way_in(path))
                    assert await response.read() == b""
        for path in ("/readyz", "/metrics"):
            async with http.get(site.url + path, headers=far, allow_redirects=False) as response:
                assert response.status in {303, 401}, path
                assert b"desk-1" not in await response.read()
        for path, body in (*ACTIONS, ("/logout", None)):
            assert (await act(http, site, path, body, **far))[0] == 401, path
        async with http.get(f"{site.url}/healthz", headers=far) as response:
            assert (response.status, await response.json()) == (200, {"status": "alive"})
        assert (site.sight.asked, site.hands.done) == ([], [])


async def test_every_route_is_in_the_list_that_strangers_were_tried_on(site: Site) -> None:
    app = create_app(site.sight, site.hands)
    known = {path.replace("7", "N").replace("3", "N") for path in READS}
    known |= {path.replace("7", "N").replace("3", "N") for path, _ in ACTIONS}
    known |= {"/healthz", "/readyz", "/login", "/logout"}
    for rule in app.url_map.iter_rules():
        path = rule.rule
        while "<" in path:
            before, _, rest = path.partition("<")
            about, _, after = rest.partition(">")
            path = before + ("desk-1" if "name" in about else "N") + after
        assert path in known or path == "/static/desk-1", rule.rule


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:80"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Host": "desk.example.org"}, 403),
        ({"Host": "127.0.0.1.example.org"}, 403),
        ({"X-Forwarded-For": "203.0.113.7"}, 403),
    ],
)
async def test_without_a_token_only_this_machine_by_its_own_name_looks(
    http: aiohttp.ClientSession, site: Site, headers: dict[str, str], status: int
) -> None:
    for path in ("/", "/api/status", "/api/stream"):
        async with http.get(site.url + path, headers=headers) as response:
            assert response.status == status, path
            if status == 403:
                assert "STATUS_TOKEN" in await response.text()


async def test_without_a_token_a_server_that_others_reach_is_closed_even_from_here(
    http: aiohttp.ClientSession,
) -> None:
    async with open_site(options(), bind="0.0.0.0:0") as site:
        assert site.url.startswith("http://127.0.0.1:")
        async with http.get(site.url) as response:
            assert response.status == 403
        for path, body in ACTIONS:
            assert (await act(http, site, path, body))[0] == 403, path
        assert site.hands.done == []


async def test_balancers_of_this_machine_ask_without_a_token_and_others_with_it(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    far = {"X-Forwarded-For": "203.0.113.7"}
    async with http.get(f"{guarded.url}/readyz", headers={"Host": "desk.example.org"}) as response:
        assert response.status == 200
    async with http.get(f"{guarded.url}/readyz", headers=far) as response:
        assert response.status == 401
    async with http.get(f"{guarded.url}/readyz", headers={**far, **BEARER}) as response:
        assert response.status == 200


# --- the token ------------------------------------------------------------------------------


async def test_the_token_opens_as_a_header_from_any_host_and_acts_without_csrf(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    headers = {**BEARER, "Host": "desk.example.org"}
    async with http.get(f"{guarded.url}/api/status", headers=headers) as response:
        assert (response.status, (await response.json())["node"]) == (200, "desk-1")
    status, done = await act(http, guarded, "/api/tickets/7/poke", None, **BEARER)
    assert (status, done["action"]) == (200, "operator_poked")
    assert guarded.hands.done == [("operator_poked", OPERATOR_NAME, 7)]


async def test_the_form_gives_a_cookie_that_scripts_and_other_sites_do_not_get(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    data = {"token": TOKEN}
    async with http.post(f"{guarded.url}/login", data=data, allow_redirects=False) as response:
        cookie = response.headers["Set-Cookie"]
    assert response.status == 303
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    async with http.get(f"{guarded.url}/api/status") as response:
        assert response.status == 200


async def test_signing_in_leads_to_the_page_that_was_asked_for(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    wanted = f"{guarded.url}/tickets?status=open&query=%D0%98%D0%B2%D0%B0%D0%BD"
    async with http.get(wanted) as response:
        assert response.url.path == "/login"
        form = str(response.url)
    async with http.post(form, data={"token": TOKEN}) as response:
        assert str(response.url) == wanted


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("https://evil.example/", "//evil.example", "/\\evil.example", "evil.example"),
        *("/\t/evil.example", "javascript:alert(1)", "/tickets\nSet-Cookie: a=b", ""),
    ],
)
async def test_signing_in_leads_to_no_other_place(
    http: aiohttp.ClientSession, guarded: Site, elsewhere: str
) -> None:
    async with http.post(
        f"{guarded.url}/login",
        params={"to": elsewhere},
        data={"token": TOKEN},
        allow_redirects=False,
    ) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")


async def test_behind_https_the_cookie_is_for_https_only(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    async with http.post(
        f"{guarded.url}/login",
        data={"token": TOKEN},
        headers={"X-Forwarded-Proto": "https"},
        allow_redirects=False,
    ) as response:
        assert "Secure" in response.headers["Set-Cookie"]


async def test_signing_out_ends_the_session_and_must_be_meant(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    assert await sign_in(http, guarded, token=TOKEN) == 303
    async with http.post(f"{guarded.url}/logout") as response:
        assert response.status == 403
    data = {"csrf": await csrf(http, guarded)}
    async with http.post(f"{guarded.url}/logout", data=data) as response:
        assert response.url.path == "/login"
    async with http.get(f"{guarded.url}/api/status") as response:
        assert response.status == 401


# --- forged, stretched, stolen ----------------------------------------------------------------


def access(now: float, **more: Any) -> Access:
    return Access(AccessOptions(secret=SECRET, **more), lambda: now)


async def test_a_forged_or_stretched_or_foreign_cookie_opens_nothing(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    now = time.time()
    genuine, _ = access(now, token=TOKEN).session()
    who, expires, nonce, signature = genuine.split(".")
    foreign, _ = access(now, token="another-token-0123456").session()
    other = Access(AccessOptions(token=TOKEN, secret="43:another-bot"), lambda: now)
    stale, _ = access(now - 10**6, token=TOKEN).session()
    olga = base64.urlsafe_b64encode(b"olga").decode().rstrip("=")
    stretched = f"{who}.{int(expires) + 1}.{nonce}.{signature}"
    renamed = f"{olga}.{expires}.{nonce}.{signature}"
    unsigned = f"{who}.{expires}.{nonce}."
    cookies = [foreign, other.session()[0], stale, stretched, renamed, unsigned, signature]
    cookies += ["", ".", "...", "1", f"{expires}.", f"²...{signature}", "a.b.c.d", f"%00.{genuine}"]
    for cookie in cookies:
        headers = {"Cookie": f"{COOKIE}={cookie}"}
        async with http.get(f"{guarded.url}/api/status", headers=headers) as response:
            assert response.status == 401, cookie
    headers = {"Cookie": f"{COOKIE}={genuine}"}
    async with http.get(f"{guarded.url}/api/status", headers=headers) as response:
        assert response.status == 200


def test_a_session_ends_with_its_time_its_password_its_user_and_follows_its_role() -> None:
    now = 1_000_000.0
    cookie, lasts_s = access(now, users=USERS).session("olga")

    def found(later: float, users: tuple[User, ...]) -> Guest | Entry:
        return access(later, users=users).check("10.0.0.1", {}, cookie, loopback=False)

    guest = found(now + lasts_s - 1, USERS)
    assert isinstance(guest, Guest)
    assert (guest.name, guest.role, guest.by_cookie) == ("olga", Role.OPERATOR, True)
    assert found(now + lasts_s + 1, USERS) is Entry.LOGIN
    changed = User(name="olga", role=Role.OPERATOR, password=hash_password("another password"))
    assert found(now, (changed,)) is Entry.LOGIN
    assert found(now, USERS[1:]) is Entry.LOGIN
    lowered = User(name="olga", role=Role.VIEWER, password=USERS[0].password)
    guest = found(now, (lowered,))
    assert isinstance(guest, Guest)
    assert not guest.may_act


def test_secrets_are_not_in_what_is_printed_of_the_options() -> None:
    printed = repr(AccessOptions(token=TOKEN, users=USERS, secret=SECRET))
    assert TOKEN not in printed
    assert SECRET not in printed
    assert "scrypt" not in printed


# --- people ---------------------------------------------------------------------------------


async def test_people_sign_in_by_name_and_their_name_stands_beside_what_they_did(
    http: aiohttp.ClientSession, peopled: Site
) -> None:
    assert await sign_in(http, peopled, user="olga", password=PASSWORDS["olga"]) == 303
    token = await csrf(http, peopled)
    for path, body in ACTIONS:
        status, answer = await act(http, peopled, path, body, **{"X-CSRF-Token": token})
        assert status == 200, (path, answer)
    assert len(peopled.hands.done) == len(ACTIONS)
    assert {done[1] for done in peopled.hands.done} == {"olga"}


async def test_a_viewer_looks_at_everything_and_can_do_nothing(
    http: aiohttp.ClientSession, peopled: Site
) -> None:
    assert await sign_in(http, peopled, user="vera", password=PASSWORDS["vera"]) == 303
    async with http.get(f"{peopled.url}/api/status") as response:
        assert response.status == 200
    token = await csrf(http, peopled)
    for path, body in ACTIONS:
        status, answer = await act(http, peopled, path, body, **{"X-CSRF-Token": token})
        assert (status, answer["code"]) == (403, "viewer"), path
    assert peopled.hands.done == []
    async with http.post(f"{peopled.url}/logout", data={"csrf": token}) as response:
        assert response.url.path == "/login"


@pytest.mark.parametrize(
    "form",
    [
        {"user": "olga", "password": PASSWORDS["vera"]},
        {"user": "nobody", "password": PASSWORDS["olga"]},
        {"user": "olga", "password": ""},
        {"user": "operator", "password": ""},
        {"token": ""},
        {"token": TOKEN},
        {},
    ],
)
async def test_a_wrong_name_or_password_opens_nothing(
    http: aiohttp.ClientSession, peopled: Site, form: dict[str, str]
) -> None:
    assert await sign_in(http, peopled, **form) == 401
    async with http.get(f"{peopled.url}/api/status") as response:
        assert response.status == 401


# --- whether it was meant -------------------------------------------------------------------


@pytest.mark.parametrize("how", ["missing", "wrong", "foreign", "cross-site", "same-site"])
async def test_an_action_that_no_page_of_ours_asked_for_is_refused(
    http: aiohttp.ClientSession, peopled: Site, how: str
) -> None:
    assert await sign_in(http, peopled, user="olga", password=PASSWORDS["olga"]) == 303
    token = await csrf(http, peopled)
    assert len(token) == 64
    headers = {"X-CSRF-Token": token}
    if how == "missing":
        headers = {}
    elif how == "wrong":
        headers = {"X-CSRF-Token": token[:-1] + ("0" if token[-1] != "0" else "1")}
    elif how == "foreign":  # of another session of the same person
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
            await sign_in(other, peopled, user="olga", password=PASSWORDS["olga"])
            headers = {"X-CSRF-Token": await csrf(other, peopled)}
    else:
        headers["Sec-Fetch-Site"] = how
    for path, body in ACTIONS:
        status, answer = await act(http, peopled, path, body, **headers)
        assert (status, answer["code"]) == (403, "csrf"), path
    assert peopled.hands.done == []


async def test_on_this_machine_without_a_token_an_action_must_be_meant_too(
    http: aiohttp.ClientSession, site: Site
) -> None:
    assert (await act(http, site, "/api/tickets/7/poke", None))[0] == 403
    token = await csrf(http, site)
    headers = {"X-CSRF-Token": token}
    assert (await act(http, site, "/api/tickets/7/poke", None, **headers))[0] == 200
    assert site.hands.done == [("operator_poked", "local", 7)]


# --- guessing -------------------------------------------------------------------------------


async def test_after_too_many_wrong_tokens_even_the_right_one_waits(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    statuses = [await sign_in(http, guarded, token=t) for t in ["wrong"] * 11 + [TOKEN]]
    assert statuses == [401] * 10 + [429] * 2


async def test_headers_count_as_guesses_and_a_login_does_not(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    for _ in range(15):
        assert await sign_in(http, guarded, token=TOKEN) == 303
    http.cookie_jar.clear()
    for _ in range(10):
        headers = {"Authorization": "Bearer wrong"}
        async with http.get(f"{guarded.url}/api/status", headers=headers) as response:
            assert response.status == 401
    async with http.get(f"{guarded.url}/api/status", headers=BEARER) as response:
        assert response.status == 401


def test_wrong_tries_of_one_address_do_not_lock_out_another_and_are_forgotten() -> None:
    now = 0.0
    guard = Access(AccessOptions(token=TOKEN, failures_max=2), lambda: now)
    assert not any(guard.is_token("wrong", "10.0.0.1") for _ in range(5))
    assert not guard.is_token(TOKEN, "10.0.0.1")
    assert guard.is_token(TOKEN, "10.0.0.2")
    now = 61.0
    assert guard.is_token(TOKEN, "10.0.0.1")


def test_guessing_from_many_addresses_ends_as_well_and_the_memory_is_bounded() -> None:
    now = 0.0
    throttle = Throttle(each_max=3, all_max=50, window_s=60, peers_max=10, clock=lambda: now)
    tries = 0
    while not throttle.must_wait(f"10.0.{tries // 250}.{tries % 250}"):
        throttle.failed(f"10.0.{tries // 250}.{tries % 250}")
        tries += 1
    assert tries == 50
    assert len(throttle._by_peer) <= 10
    now = 61.0
    assert not throttle.must_wait("10.0.0.1")


# --- passwords --------------------------------------------------------------------------------


def test_a_hash_knows_its_password_and_no_two_are_alike() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    assert read_hash(first).matches("correct horse")
    assert not read_hash(second).matches("correct horsf")


@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
def test_a_password_that_is_too_short_or_too_long_gets_no_hash(password: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        hash_password(password)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain-password",
        "scrypt$15$8$1$AAAA",
        "scrypt$15$8$1$AAAA$AAAA",
        "scrypt$40$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$18$16$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$0$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "bcrypt$15$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$15$8$1$é$AAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_what_is_no_hash_of_ours_or_costs_too_much_is_refused(text: str) -> None:
    with pytest.raises(BadHash, match="topicdesk password"):
        read_hash(text)
