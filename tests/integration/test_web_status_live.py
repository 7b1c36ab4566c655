"""The whole program's status API: truth, actions with their audit, and outages, on real servers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from bootstrap.app import started
from bootstrap.settings import load_settings
from lab.chaos.proxy import Conditions, Link, Tcp, Unix
from lab.processes import free_port
from tests.acceptance.desk import SECRET, Helpdesk
from tests.fakes.operations import add_node

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-the-test-0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
REDIS_DB = 11
WAIT_S = 15.0
"""For what must come about; it takes a second or two."""

AWAY = Conditions(refuses=True)

COUNTS = """
    SELECT status, count(*) AS n FROM tickets GROUP BY 1
"""
OTHERS = """
    SELECT (SELECT count(*) FROM inbox WHERE handled_at IS NULL) AS mail,
           (SELECT count(*) FROM outbox WHERE state = 'waiting') AS waiting,
           (SELECT count(*) FROM outbox WHERE state = 'sending') AS sending,
           (SELECT count(*) FROM outbox WHERE state = 'undeliverable') AS undeliverable,
           (SELECT count(*) FROM dead_letters) AS dead,
           (SELECT count(*) FROM tickets WHERE quarantined IS NOT NULL) AS quarantined,
           (SELECT count(*) FROM tickets WHERE owner IS NOT NULL AND status <> 'CLOSED') AS owned,
           (SELECT count(*) FROM inbox WHERE ticket_id IS NOT NULL) AS handled
"""
AUDIT = "SELECT by, action, ticket_id FROM audit ORDER BY id"


@pytest.fixture
async def redis_url(valkey_url: str) -> str:
    url = f"{valkey_url.partition('?')[0]}?db={REDIS_DB}"
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
    return url


@pytest.fixture
async def desk(postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    async with Helpdesk.open("webhook", postgres_dsn, redis_url, STATUS_TOKEN=TOKEN) as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=BEARER) as session:
        yield session


async def get(http: aiohttp.ClientSession, desk: Helpdesk, path: str) -> Any:
    async with http.get(desk.app.url + path) as response:
        assert response.status == 200, (path, await response.text())
        return await response.json()


async def post(
    http: aiohttp.ClientSession, desk: Helpdesk, path: str, body: Any = None
) -> tuple[int, Any]:
    async with http.post(desk.app.url + path, json=body) as response:
        return response.status, await response.json()


async def until[Found](
    look: Callable[[], Awaitable[Found]], fits: Callable[[Found], bool]
) -> Found:
    """The first look that fits."""
    with anyio.fail_after(WAIT_S):
        while True:
            if fits(found := await look()):
                return found
            await anyio.sleep(0.05)


def codes(status: Any) -> set[str]:
    """Why it is not well; a machine that is busy with other tests is no reason."""
    return {cause["code"] for cause in status["causes"]} - {"loop_lag"}


# --- truth ----------------------------------------------------------------------------------


async def test_counters_equal_the_databases_and_a_ticket_tells_its_whole_way(
    http: aiohttp.ClientSession, desk: Helpdesk
) -> None:
    cases = [await desk.opens(client) for client in (desk.ivan, desk.emma)]
    await desk.client_writes(desk.ivan, "Всё ещё не печатает")
    await desk.settles()
    by_status = {row.status: row.n for row in await desk.rows(COUNTS)}
    [stored] = await desk.rows(OTHERS)

    def fits(status: Any) -> bool:
        waiting = status["outbox"]["waiting"] + status["mailboxes"]["waiting"]
        return not waiting and not codes(status)

    status = await until(lambda: get(http, desk, "/api/status"), fits)
    assert status["is_complete"]
    assert {name: n for name, n in status["tickets"].items() if n} == by_status
    assert sum(status["actors"].values()) == stored.owned == status["ownership"]["owned"]
    assert status["traffic"]["handled"] == stored.handled
    assert status["traffic"]["updates_stored"] >= 3
    assert status["dead_letters"] == stored.dead
    assert status["quarantined"] == stored.quarantined
    assert status["outbox"]["undeliverable"] == stored.undeliverable
    assert status["nodes"][0]["owned"] == stored.owned
    assert [budget["name"] for budget in status["budgets"]] == ["main", "alice", "bob"]
    for name in ("queue_wait", "turn", "commit", "delivery"):
        timing = status["timings"][name]
        assert 0 < timing["p50_s"] <= timing["p95_s"] <= timing["max_s"] < WAIT_S, name
    listed = await get(http, desk, "/api/tickets?sort=newest")
    assert listed["total"] == len(cases)
    assert {line["id"] for line in listed["tickets"]} == {case.number for case in cases}
    found = await get(http, desk, f"/api/tickets?query=%23{cases[0].number}")
    assert [line["id"] for line in found["tickets"]] == [cases[0].number]
    detail = await get(http, desk, f"/api/tickets/{cases[0].number}")
    [said] = [step for step in detail["steps"] if step["seq"] == 1]
    copy = next(step for step in said["sent"] if step["state"] == "sent")
    way = ("received_at", "handled_at", "committed_at")
    moments = [*(said[name] for name in way), copy["sent_at"], copy["confirmed_at"]]
    assert moments == sorted(moments)
    assert len(set(moments)) == len(moments)
    run = status["nodes"][0]["run"]
    assert (said["owner"], detail["owner"]) == (run, run)
    assert detail["owners"][0]["is_present"]
    assert sum(period["handled"] for period in detail["owners"]) == detail["handled_seq"]


async def test_a_list_counts_what_it_filters(http: aiohttp.ClientSession, desk: Helpdesk) -> None:
    first, second = await desk.opens(desk.ivan), await desk.opens(desk.emma)
    await desk.settles()
    assert (await post(http, desk, f"/api/tickets/{first.number}/quarantine", {"why": "x"}))[
        0
    ] == 200
    stopped = await get(http, desk, "/api/tickets?state=quarantined")
    assert [line["id"] for line in stopped["tickets"]] == [first.number]
    assert (stopped["total"], stopped["by_state"]["quarantined"]) == (1, 1)
    assert sum(stopped["by_status"].values()) == 1
    everything = await get(http, desk, "/api/tickets")
    assert everything["total"] == sum(everything["by_status"].values()) == 2
    assert everything["by_state"]["quarantined"] == 1
    [line] = [line for line in everything["tickets"] if line["id"] == second.number]
    assert (line["state"], line["quarantined"]) == ("idle", None)


# --- actions --------------------------------------------------------------------------------


async def test_each_action_is_done_and_stands_in_the_audit_with_who_did_it(
    http: aiohttp.ClientSession, desk: Helpdesk
) -> None:
    case = await desk.opens(desk.ivan)
    await desk.settles()
    ticket, number = f"/api/tickets/{case.number}", case.number
    await add_node(desk.app.engine, "other")
    for _ in range(3):
        await desk.execute(
            "INSERT INTO dead_letters (ticket_id, seq, key, error, attempts, message) "
            "SELECT ticket_id, seq, key, 'KeyError', 5, message FROM inbox WHERE seq = 1",
        )
    letters = [each["id"] for each in (await get(http, desk, "/api/dead"))["letters"]]
    for path, body, action in (
        (f"{ticket}/poke", None, "operator_poked"),
        (f"{ticket}/quarantine", {"why": "it answers itself"}, "operator_quarantined"),
        (f"{ticket}/release", None, "operator_released"),
        (f"/api/dead/{letters[0]}/retry", None, "dead_retried"),
        (f"/api/dead/{letters[1]}/drop", {"why": "old"}, "dead_dropped"),
        ("/api/dead/drop", {"expected": 1, "why": "old", "ticket": number}, "dead_dropped"),
        (f"{ticket}/move", {"node": "other"}, "operator_moved"),
        ("/api/nodes/other/drain", None, "operator_drained"),
    ):
        status, answer = await post(http, desk, path, body)
        assert (status, answer.get("action")) == (200, action), (path, answer)
    found = [tuple(row) for row in await desk.rows(AUDIT)]
    assert found == [
        ("operator", "operator_poked", number),
        ("operator", "operator_quarantined", number),
        ("operator", "operator_released", number),
        ("operator", "dead_retried", number),
        ("operator", "dead_dropped", number),
        ("operator", "dead_dropped", number),
        ("operator", "operator_moved", number),
        ("operator", "operator_drained", None),
    ]
    detail = await get(http, desk, ticket)
    assert (detail["owner"], detail["owners"][0]["handled"]) == ("other/1", 0)
    logged = [line["action"] for line in detail["log"] if line["payload"].get("by") == "operator"]
    assert len(logged) == 7
    assert not desk.app.drain_asked.is_set()  # it was another node's


async def test_what_was_done_is_counted_at_once_however_long_counts_rest(
    http: aiohttp.ClientSession, desk: Helpdesk
) -> None:
    case = await desk.opens(desk.ivan)
    for action, quarantined in (("quarantine", 1), ("release", 0)):
        before = await desk.app.status.stored()
        done, _ = await post(http, desk, f"/api/tickets/{case.number}/{action}", {"why": "x"})
        assert done == 200
        after = await desk.app.status.stored()  # no second has passed since the last
        assert before is not None
        assert after is not None
        assert (before.quarantined, after.quarantined) == (1 - quarantined, quarantined)


async def test_what_cannot_be_done_is_refused_and_leaves_no_trace(
    http: aiohttp.ClientSession, desk: Helpdesk
) -> None:
    case = await desk.opens(desk.ivan)
    for path, body, status in (
        ("/api/tickets/999/poke", None, 409),
        (f"/api/tickets/{case.number}/release", None, 409),
        (f"/api/tickets/{case.number}/move", {"node": "nowhere"}, 409),
        ("/api/dead/999/retry", None, 409),
        ("/api/dead/retry", {"expected": 7}, 409),
        ("/api/nodes/nowhere/drain", None, 409),
        ("/api/nodes/%00/drain", None, 409),
    ):
        found, answer = await post(http, desk, path, body)
        assert (found, answer["code"] in {"refused", "changed"}) == (status, True), (path, answer)
    assert await desk.rows(AUDIT) == []


async def test_a_node_that_is_asked_to_drain_hears_it(
    http: aiohttp.ClientSession, desk: Helpdesk
) -> None:
    [node] = (await get(http, desk, "/api/nodes"))["nodes"]
    status, answer = await post(http, desk, f"/api/nodes/{node['name']}/drain")
    assert (status, answer["node"]) == (200, node["name"])
    with anyio.fail_after(WAIT_S):
        await desk.app.drain_asked.wait()


# --- several nodes --------------------------------------------------------------------------


async def test_two_nodes_are_one_picture_while_somebody_looks(
    http: aiohttp.ClientSession, desk: Helpdesk, postgres_dsn: str, redis_url: str
) -> None:
    await desk.opens(desk.ivan)
    bind = f"127.0.0.1:{free_port()}"
    settings = desk.scene.settings(desk.telegram.url) | {
        "POSTGRES_DSN": postgres_dsn,
        "REDIS_URL": redis_url,
        "HTTP_BIND": bind,
        "NODE_NAME": "second",
        "WEBHOOK_URL": f"http://{bind}",
        "WEBHOOK_SECRET": SECRET,
    }
    async with started(load_settings(settings, None)):
        status = await until(
            lambda: get(http, desk, "/api/status"),
            lambda status: len(status["nodes"]) == 2 and status["is_complete"],
        )
        second = next(node for node in status["nodes"] if node["name"] == "second")
        assert (second["state"], second["is_self"]) == ("serving", False)
        assert status["ownership"]["owned"] == 1
        tree = await get(http, desk, "/api/tree")
        assert [root["state"] for root in tree["roots"]] == ["serving", "serving"]
    async with Redis.from_url(redis_url) as redis:
        assert 0 < await redis.ttl("stats:looking") <= 4
        assert 0 < await redis.ttl("stats:node:second") <= 5


async def test_nobody_tells_while_nobody_looks(desk: Helpdesk, redis_url: str) -> None:
    await desk.opens(desk.ivan)
    async with Redis.from_url(redis_url) as redis:
        for _ in range(25):  # two of the historian's seconds
            assert not await redis.keys("stats:*"), "a picture was told to nobody"
            await anyio.sleep(0.1)


# --- outages --------------------------------------------------------------------------------


@asynccontextmanager
async def linked(dsn: str, redis_url: str) -> AsyncIterator[tuple[Helpdesk, Link, Link]]:
    """A desk behind links to its servers, which listen on sockets."""
    address = make_url(dsn)
    files = Path(str(address.query["host"])) / ".s.PGSQL.5432"
    socket = Path(redis_url.removeprefix("unix://").partition("?")[0])
    postgres, redis = Link("postgres", lambda: [Unix(files)]), Link("redis", lambda: [Unix(socket)])
    async with postgres.serve(Tcp()), redis.serve(Tcp()):
        through = f"postgresql://postgres@127.0.0.1:{postgres.port}/{address.database}"
        near = f"redis://127.0.0.1:{redis.port}/{REDIS_DB}"
        async with Helpdesk.open("webhook", through, near, STATUS_TOKEN=TOKEN) as desk:
            yield desk, postgres, redis


class TestOutages:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, Any]]:
        """The links run on the test's loop; uvloop complains of sockets that are torn in use."""
        return "asyncio", {"use_uvloop": False}

    async def test_the_page_works_degraded_without_redis_and_without_postgres(
        self, http: aiohttp.ClientSession, postgres_dsn: str, redis_url: str
    ) -> None:
        async with linked(postgres_dsn, redis_url) as (desk, postgres, redis):
            case = await desk.opens(desk.ivan)
            look = partial(get, http, desk, "/api/status")
            well = await until(look, lambda status: not codes(status))
            redis.set(AWAY)
            redis.reset()
            away = await until(look, lambda status: not status["health"]["redis"]["ok"])
            assert (away["state"], codes(away)) == ("degraded", {"redis"})
            assert away["tickets"] == well["tickets"]
            assert sum(away["actors"].values()) == 1
            redis.heal()
            await until(look, lambda status: not codes(status))
            postgres.set(AWAY)
            postgres.reset()
            down = await until(look, lambda status: not status["health"]["postgres"]["ok"])
            assert (down["state"], "postgres" in codes(down)) == ("down", True)
            assert down["tickets"] == well["tickets"]
            older = await until(look, lambda status: status["stored_age_s"] > 2)
            assert older["nodes"][0]["status"] == "unknown"
            for path in (f"/api/tickets/{case.number}", "/api/tickets", "/api/dead"):
                async with http.get(desk.app.url + path) as response:
                    assert response.status == 503, path
                    assert (await response.json())["code"] == "away"
            for path in ("/api/nodes", "/api/tree", "/"):
                async with http.get(desk.app.url + path) as response:
                    assert response.status == 200, path
            assert (await post(http, desk, f"/api/tickets/{case.number}/poke"))[0] == 503
            async with http.get(f"{desk.app.url}/readyz") as response:
                assert response.status == 503
            async with http.get(f"{desk.app.url}/healthz") as response:
                assert response.status == 200
            postgres.heal()
            await until(look, lambda status: not codes(status))
