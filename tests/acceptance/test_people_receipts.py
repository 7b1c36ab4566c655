"""Who wrote to the client sees when it has arrived, if the desk wants it so."""

from collections.abc import AsyncIterator

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]


@pytest.fixture
async def showing(mode: str, postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    """A desk with receipts."""
    more = {"RECEIPT_REACTIONS": "on"}
    async with Helpdesk.open(mode, postgres_dsn, redis_url, **more) as opened:
        yield opened


async def marks(talk: Talk, message: Object) -> list[str]:
    return [reaction["emoji"] for reaction in (await talk.now(message))["reactions"]]


@pytest.mark.parametrize("place", ["main", "alice"])
async def test_a_reaction_of_the_bot_says_that_the_client_has_it(
    showing: Helpdesk, place: str
) -> None:
    talk = await Talk.begins(showing)
    written = await talk.writes(place, "Будем завтра")
    assert await marks(talk, written) == ["👌"]
    assert await marks(talk, await talk.last("client")) == [], "the client's side stays quiet"
    note = await talk.writes(place, "// между нами")
    assert await marks(talk, note) == ["✍"]


async def test_what_did_not_arrive_gets_none(showing: Helpdesk) -> None:
    talk = await Talk.begins(showing)
    await showing.lab.block(showing.ivan)
    written = await talk.writes("main", "Будем завтра")
    assert await marks(talk, written) == []


@POLLING_TOO
async def test_the_clients_own_reaction_takes_its_place(showing: Helpdesk) -> None:
    talk = await Talk.begins(showing)
    written = await talk.writes("main", "Будем завтра")
    sent = await talk.last("client")
    await showing.lab.react(showing.ivan, showing.ivan, sent["message_id"], "❤")
    await showing.settles()
    assert await marks(talk, written) == ["❤"]


async def test_without_the_setting_there_are_none(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes("main", "Будем завтра")
    assert await marks(talk, written) == []
