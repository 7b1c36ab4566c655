"""What commands, buttons and updates of other kinds mean, also those that somebody made up."""

from typing import Any

import pytest

from actors.effects import Text
from actors.ids import TechnicianId, UserId
from actors.messages import (
    AssignRequested,
    CloseRequested,
    CommentOffered,
    CommentSkipped,
    Person,
    Press,
    ScoreGiven,
    StaffWrote,
)
from actors.messages import Message as TicketMessage
from actors.places import MAIN, mirror
from actors.ports import ToDesk, ToTicket
from bot.keyboards import AssignData, CloseData, CommentData, ScoreData, SkipData
from bot.meaning import Accept, Ignored, Refused
from bot.translate import DESK_COMMANDS
from tests.fakes import updates as u
from tests.fakes.updates import Json, from_alice, from_client, from_staff, meaning, message, press

IVAN = Person(id=UserId(501), name="Иван", username="ivan", language="en-US")
MARIA = Person(id=UserId(601), name="Мария П.")
ALICE = Person(id=UserId(701), name="Алиса")
TO_DESK = Accept(route=ToDesk(), message=None)
HERE = ToTicket(ticket_id=u.TICKET)

ASSIGN = AssignData(ticket=7, technician=1, generation=3).pack()
CLOSE = CloseData(ticket=7).pack()
SCORE = ScoreData(ticket=7, question=2, score=5).pack()
COMMENT, SKIP = CommentData(ticket=7).pack(), SkipData(ticket=7).pack()

# --- commands -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["/start", "/START", "/start deep_link", "/start@desk_bot"])
def test_a_clients_start_is_greeted_by_the_desk(text: str) -> None:
    assert meaning(from_client(text)) == TO_DESK


@pytest.mark.parametrize("text", ["/close", "/note x", "/tickets", "/settings", "/start@other_bot"])
def test_other_commands_of_a_client_are_not_a_message(text: str) -> None:
    assert meaning(from_client(text)) is Ignored.COMMAND


@pytest.mark.parametrize("text", ["/etc/hosts is empty", "1/2", " /start", "/", "//", "/привет"])
def test_what_only_looks_like_a_command_is_a_message_of_the_client(text: str) -> None:
    found = meaning(from_client(text))
    assert isinstance(found, Accept)
    assert found.message is not None


@pytest.mark.parametrize("command", sorted(DESK_COMMANDS))
def test_the_desks_commands_go_to_the_desk_from_groups_and_from_administrators(
    command: str,
) -> None:
    private = {"id": 601, "type": "private", "first_name": "Мария"}
    for raw in (
        message(u.MARIA, private, f"/{command}"),
        message(u.ALICE, u.STAFF_CHAT, f"/{command} 12"),
        message(u.ALICE, u.STAFF_CHAT, f"/{command}@Desk_Bot"),
        from_staff(f"/{command}\n12"),
        from_alice(f"/{command.upper()}"),
    ):
        assert meaning(raw) == TO_DESK


def test_close_in_a_topic_closes_its_ticket() -> None:
    for raw, by, place in (
        (from_staff("/close"), MARIA, MAIN),
        (from_staff("/Close@desk_bot please"), MARIA, MAIN),
        (from_alice("/close"), ALICE, mirror(TechnicianId(1))),
    ):
        assert meaning(raw) == Accept(route=HERE, message=CloseRequested(by=by, place=place))


@pytest.mark.parametrize("text", ["/close@other_bot", "/note@other_bot x", "/start", "/unknown x"])
def test_commands_for_nobody_or_for_another_bot_never_reach_the_client(text: str) -> None:
    for raw in (from_staff(text), from_alice(text)):
        assert meaning(raw) is Ignored.COMMAND


def test_only_a_text_that_replies_to_the_bot_in_general_answers_a_question_of_the_desk() -> None:
    asked = message(u.OWN_BOT, u.STAFF_CHAT, "?")["message"]
    other = message(u.OTHER_BOT, u.STAFF_CHAT, "?")["message"]
    elsewhere = message(u.OWN_BOT, u.ALICE_CHAT, "?")["message"]
    assert meaning(message(u.MARIA, u.STAFF_CHAT, "12", reply_to_message=asked)) == TO_DESK
    for raw in (
        message(u.MARIA, u.STAFF_CHAT, "12", reply_to_message=other),
        message(
            u.MARIA, u.STAFF_CHAT, None, dice={"emoji": "🎲", "value": 1}, reply_to_message=asked
        ),
        message(u.ALICE, u.ALICE_CHAT, "12", reply_to_message=elsewhere),
    ):
        assert meaning(raw) is Ignored.OUTSIDE
    to_ticket = meaning(from_staff("12", reply_to_message=asked))
    assert isinstance(to_ticket, Accept)
    assert isinstance(to_ticket.message, StaffWrote)


# --- buttons --------------------------------------------------------------------------------


def pressed(raw: Json, by: Person) -> Press:
    return Press(callback_id=raw["callback_query"]["id"], by=by)


def test_assigning_from_the_main_topic() -> None:
    raw = press(u.MARIA, from_staff(), ASSIGN)
    wanted = AssignRequested(press=pressed(raw, MARIA), technician=u.ALICE_TECHNICIAN, generation=3)
    assert meaning(raw) == Accept(route=HERE, message=wanted)


def test_closing_from_either_topic() -> None:
    for user, by, shown, place in (
        (u.MARIA, MARIA, from_staff(), MAIN),
        (u.ALICE, ALICE, from_alice(), mirror(TechnicianId(1))),
    ):
        raw = press(user, shown, CLOSE)
        wanted = CloseRequested(by=by, place=place, press=pressed(raw, by))
        assert meaning(raw) == Accept(route=HERE, message=wanted)


@pytest.mark.parametrize("data", [SCORE, COMMENT, SKIP])
def test_the_survey_is_answered_by_the_client_in_private(data: str) -> None:
    raw = press(u.IVAN, from_client(), data)
    by = pressed(raw, IVAN)
    wanted: dict[str, TicketMessage] = {
        SCORE: ScoreGiven(press=by, question=2, score=5),
        COMMENT: CommentOffered(press=by),
        SKIP: CommentSkipped(press=by),
    }
    assert meaning(raw) == Accept(route=HERE, message=wanted[data])


STRANGER: Json = {"id": 999, "is_bot": False, "first_name": "S", "language_code": "de"}
STRANGERS_CHAT: Json = {"id": 999, "type": "private", "first_name": "S"}
GENERAL = message(u.OWN_BOT, u.STAFF_CHAT, "?")


@pytest.mark.parametrize(
    ("user", "shown", "data"),
    [
        (u.MARIA, from_staff(), AssignData(ticket=8, technician=1, generation=3).pack()),
        (u.MARIA, from_staff(), CloseData(ticket=8).pack()),
        (u.MARIA, from_staff(), CloseData(ticket=2**62).pack()),
        (u.MARIA, GENERAL, CLOSE),
        (u.MARIA, GENERAL, ASSIGN),
        (u.ALICE, from_alice(), ASSIGN),
        (u.IVAN, from_client(), CLOSE),
        (u.IVAN, from_client(), ASSIGN),
        (u.MARIA, message(u.OWN_BOT, u.ALICE_CHAT, "?", **u.in_topic(u.MAIN_THREAD)), CLOSE),
        (u.MARIA, from_staff(), SCORE),
        (u.IVAN, from_staff(), SCORE),
        (STRANGER, message(u.OWN_BOT, STRANGERS_CHAT, "?"), SCORE),
        (STRANGER, message(u.OWN_BOT, STRANGERS_CHAT, "?"), SKIP),
        (STRANGER, from_client(), COMMENT),
    ],
)
def test_a_forged_press_is_refused_in_the_language_of_who_pressed(
    user: Json, shown: Json, data: str
) -> None:
    raw = press(user, shown, data)
    found = meaning(raw)
    assert isinstance(found, Refused)
    assert found.callback_id == raw["callback_query"]["id"]
    assert found.text == Text(key="forged-press")
    assert found.language == user.get("language_code")


def test_a_survey_of_a_ticket_that_there_is_not_is_refused() -> None:
    found = meaning(press(u.IVAN, from_client(), SCORE), client=None)
    assert isinstance(found, Refused)
    assert found.text == Text(key="forged-press")


def test_a_technician_who_has_left_is_a_stale_button() -> None:
    found = meaning(press(u.MARIA, from_staff(), ASSIGN), roster={})
    assert isinstance(found, Refused)
    assert found.text == Text(key="stale-press")


def test_a_press_on_a_message_that_is_out_of_reach_is_refused_unless_it_is_the_survey() -> None:
    gone: Json = {"message_id": 1, "date": 0}
    assigning, scoring = press(u.MARIA, from_staff(), ASSIGN), press(u.IVAN, from_client(), SCORE)
    assigning["callback_query"]["message"] = {**gone, "chat": u.STAFF_CHAT}
    scoring["callback_query"]["message"] = {**gone, "chat": u.PRIVATE}
    assert isinstance(meaning(assigning), Refused)
    assert isinstance(meaning(scoring), Accept)
    del scoring["callback_query"]["message"]
    assert isinstance(meaning(scoring), Refused)


@pytest.mark.parametrize("data", ["", None, "dl:ALL:1", "as:1", "as:x:1:1", "sc:7:9:9", "\0" * 64])
def test_other_buttons_are_left_to_the_desk(data: str | None) -> None:
    assert meaning(press(u.MARIA, from_staff(), data)) == TO_DESK


def test_a_bot_presses_nothing() -> None:
    assert meaning(press(u.OTHER_BOT, from_staff(), CLOSE)) is Ignored.BOT


# --- other kinds of updates -----------------------------------------------------------------


def test_what_becomes_of_the_bots_membership_is_the_desks_business() -> None:
    member: dict[str, Any] = {"status": "member", "user": u.OWN_BOT}
    change = {"chat": u.PRIVATE, "from": u.IVAN, "date": 1, "old_chat_member": member}
    blocked = {"status": "kicked", "user": u.OWN_BOT, "until_date": 0}
    raw = {"update_id": 1, "my_chat_member": {**change, "new_chat_member": blocked}}
    assert meaning(raw) == TO_DESK


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"channel_post": message(None, u.PRIVATE, "x")["message"]},
        {"chosen_inline_result": {"result_id": "1", "from": u.IVAN, "query": ""}},
        {"telepathy": {"from": u.IVAN, "thought": "a newer Bot API"}},
    ],
    ids=lambda fields: next(iter(fields), "nothing"),
)
def test_kinds_of_updates_that_nobody_asked_for_are_ignored(fields: Json) -> None:
    assert meaning({"update_id": 1, **fields}) is Ignored.KIND


def test_fields_of_a_newer_bot_api_change_nothing() -> None:
    raw, newer = from_client(), from_client()
    newer["message"] |= {"message_id": raw["message"]["message_id"], "mood": {"of": ["words"]}}
    newer["message"]["from"] = {**u.IVAN, "is_immortal": True}
    newer["message"]["chat"] = {**u.PRIVATE, "colour": 7}
    newer |= {"update_id": raw["update_id"], "signature": "x"}
    assert meaning(newer) == meaning(raw)
