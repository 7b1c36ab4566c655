"""Every kind of message can be answered and reacted to in every chat, as docs/kinds.md says."""

from pathlib import Path

import pytest

from actors.messages import ContentKind
from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, OTHERS, POLLING_TOO, Talk
from tests.acceptance.test_helpdesk_kinds import KINDS

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

TABLE = Path(__file__).resolve().parents[2] / "docs" / "kinds.md"
IN_WORDS = {"video_note": "video message", "location": "place", "unsupported": "newer Bot API"}


@pytest.mark.parametrize("place", list(OTHERS))
async def test_every_kind_can_be_answered_and_reacted_to_everywhere(
    desk: Helpdesk, place: str
) -> None:
    talk = await Talk.begins(desk)
    for kind, more in KINDS.items():
        given = {name: value for name, value in more.items() if name != "text"}
        written = await talk.writes(place, more.get("text", ""), kind=kind, **given)
        stands = {place: written} | {other: await talk.last(other) for other in OTHERS[place]}
        reader = OTHERS[place][0]
        user, chat, _ = talk.places[reader]
        await desk.lab.react(user, chat, stands[reader]["message_id"], "🔥")
        await talk.writes(reader, f"про {kind}", reply_to=stands[reader]["message_id"])
        for other in OTHERS[reader]:
            answer = await talk.last(other)
            assert answer["text"].endswith(f"про {kind}"), (kind, other)
            assert answer["reply_to"] == stands[other]["message_id"], (kind, other)
            shown = (await talk.now(stands[other]))["reactions"]
            assert [r["emoji"] for r in shown] == ["🔥"], (kind, other)


@POLLING_TOO
async def test_what_cannot_be_changed_is_left_as_it_is(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes("client", kind="location")
    shown = await talk.last("main")
    moved = {"location": {"latitude": 1.0, "longitude": 2.0}}
    world = desk.telegram.world
    original = world.chat(desk.ivan).messages[written["message_id"] - 1]
    world.edit(original, body=dict(moved))
    await desk.settles()
    assert (await talk.now(shown))["media"] == shown["media"]
    assert (await talk.last("main"))["message_id"] == shown["message_id"]


def test_the_table_names_every_kind(mode: str) -> None:
    assert mode
    rows = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| ")]
    for kind in ContentKind:
        assert any(IN_WORDS.get(kind, kind) in row for row in rows), kind
