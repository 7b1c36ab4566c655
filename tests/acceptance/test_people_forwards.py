"""A forwarded message shows where it is from."""

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, LABELS, OTHERS, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

PETER: Object = {"id": 5_000_000_077, "is_bot": False, "first_name": "Пётр"}
ORIGINS: dict[str, tuple[Object, str]] = {
    "a person": ({"type": "user", "sender_user": PETER}, " от Пётр"),
    "somebody hidden": ({"type": "hidden_user", "sender_user_name": "П. П."}, " от П. П."),
    "a channel": (
        {
            "type": "channel",
            "chat": {"id": -1009, "type": "channel", "title": "Новости"},
            "message_id": 7,
        },
        " от Новости",
    ),
}
FORWARDED = pytest.mark.parametrize(("origin", "name"), ORIGINS.values(), ids=list(ORIGINS))


@FORWARDED
@pytest.mark.parametrize("kind", ["text", "photo", "sticker"])
async def test_what_a_client_forwards_is_forwarded_on(
    desk: Helpdesk, kind: str, origin: Object, name: str
) -> None:
    assert name
    talk = await Talk.begins(desk)
    words = "" if kind == "sticker" else "Смотрите"
    written = await talk.writes("client", words, kind=kind, origin=origin)
    for other in OTHERS["client"]:
        shown = await talk.last(other)
        assert (shown["kind"], shown["text"], shown["media"]) == (kind, words, written["media"])
        assert shown["origin"] | origin == shown["origin"]


@FORWARDED
@pytest.mark.parametrize("place", ["main", "alice"])
@pytest.mark.parametrize("kind", ["text", "photo"])
async def test_what_the_staff_forward_says_in_words_where_it_is_from(
    desk: Helpdesk, place: str, kind: str, origin: Object, name: str
) -> None:
    talk = await Talk.begins(desk)
    await talk.writes(place, "Смотрите", kind=kind, origin=origin)
    for other in OTHERS[place]:
        shown = await talk.last(other)
        assert shown["text"] == LABELS.get((place, other), "") + f"↪️ Переслано{name}\nСмотрите"
        assert not shown["forwarded"], "the client would see an account of somebody's"


async def test_who_forwards_an_own_message_says_it_as_any_other(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    own = {"type": "user", "sender_user": {**PETER, "id": desk.maria, "first_name": "Мария"}}
    await talk.writes("main", "Будем завтра", origin=own)
    assert (await talk.last("client"))["text"] == "Будем завтра"


@POLLING_TOO
async def test_a_forwarded_message_can_be_answered(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    origin, _ = ORIGINS["a person"]
    written = await talk.writes("client", "Смотрите", origin=origin)
    shown = await talk.last("main")
    await talk.writes("main", "Видим", reply_to=shown["message_id"])
    assert (await talk.last("client"))["reply_to"] == written["message_id"]
