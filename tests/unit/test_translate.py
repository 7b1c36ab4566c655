"""What a message means by who wrote it, where and what: a word to a ticket, or nothing."""

from typing import Any

import pytest

from actors.ids import ChatId, MessageId, TechnicianId, UserId
from actors.messages import (
    ClientWrote,
    CloseRequested,
    Content,
    ContentKind,
    Person,
    ReopenRequested,
    StaffWrote,
    TechnicianWrote,
    TopicRenamed,
)
from actors.places import MAIN
from actors.ports import ToClient, ToTicket
from bot.meaning import Accept, Ignored
from tests.fakes import updates as u
from tests.fakes.updates import Json, from_alice, from_client, from_staff, meaning, message

IVAN = Person(id=UserId(501), name="Иван", username="ivan", language="en-US")
MARIA = Person(id=UserId(601), name="Мария П.")
ALICE = Person(id=UserId(701), name="Алиса")
HERE = ToTicket(ticket_id=u.TICKET)


def content(raw: Json, kind: ContentKind = ContentKind.TEXT, text: str = "hello") -> Content:
    shown = raw["message"]
    photo = shown.get("photo")
    return Content(
        chat_id=ChatId(shown["chat"]["id"]),
        message_id=MessageId(shown["message_id"]),
        kind=kind,
        text=text,
        file_id=photo[-1]["file_id"] if photo else None,
    )


# --- who wrote, and where -------------------------------------------------------------------


def test_a_client_writes_in_private() -> None:
    raw = from_client()
    assert meaning(raw) == Accept(
        route=ToClient(client=IVAN, is_text=True),
        message=ClientWrote(author=IVAN, content=content(raw)),
    )


def test_a_photo_could_not_be_a_comment() -> None:
    raw = from_client(None, caption="look", photo=PHOTO)
    assert meaning(raw) == Accept(
        route=ToClient(client=IVAN, is_text=False),
        message=ClientWrote(author=IVAN, content=content(raw, ContentKind.PHOTO, "look")),
    )


def test_the_staff_write_in_the_tickets_main_topic() -> None:
    raw = from_staff()
    wrote = StaffWrote(author=MARIA, content=content(raw))
    assert meaning(raw) == Accept(route=HERE, message=wrote)


def test_whoever_writes_in_the_mirror_topic_is_its_technician() -> None:
    for user, person in ((u.ALICE, ALICE), (u.MARIA, MARIA)):
        raw = from_alice(user=user)
        wrote = TechnicianWrote(author=person, technician_id=TechnicianId(1), content=content(raw))
        assert meaning(raw) == Accept(route=HERE, message=wrote)


def test_an_anonymous_admin_is_staff_with_the_signature_or_the_groups_name() -> None:
    for extra, name in (({}, "Поддержка"), ({"author_signature": "Старший"}, "Старший")):
        raw = from_staff(user=u.ANONYMOUS, sender_chat=u.STAFF_CHAT, **extra)
        author = Person(id=UserId(u.ANONYMOUS["id"]), name=name)
        wrote = StaffWrote(author=author, content=content(raw))
        assert meaning(raw) == Accept(route=HERE, message=wrote)


CHANNEL: Json = {"id": -1009, "type": "channel", "title": "News"}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (from_staff(user=u.OWN_BOT), Ignored.OWN),
        (message(u.OWN_BOT, u.PRIVATE, "hi"), Ignored.OWN),
        (from_staff(user=u.OTHER_BOT), Ignored.BOT),
        (from_staff("/close", user=u.OTHER_BOT), Ignored.BOT),
        (from_staff(user=u.ANONYMOUS, sender_chat=CHANNEL), Ignored.BOT),
        (from_staff(user=u.ANONYMOUS), Ignored.BOT),
        (message(None, CHANNEL, "a post"), Ignored.BOT),
        (message(u.MARIA, u.STAFF_CHAT, "in General"), Ignored.OUTSIDE),
        (message(u.MARIA, u.STAFF_CHAT, "/close"), Ignored.OUTSIDE),
        (message(u.MARIA, u.STAFF_CHAT, "a reply", message_thread_id=77), Ignored.OUTSIDE),
        (message(u.MARIA, u.STAFF_CHAT, "unknown topic", **u.in_topic(78)), Ignored.OUTSIDE),
        (message(u.ALICE, u.ALICE_CHAT, "another group's", **u.in_topic(77)), Ignored.OUTSIDE),
    ],
)
def test_what_is_nobodys_business_is_ignored(raw: Json, why: Ignored) -> None:
    assert meaning(raw) is why


@pytest.mark.parametrize(
    "service",
    [
        {"new_chat_members": [u.ALICE]},
        {"left_chat_member": u.ALICE},
        {"new_chat_title": "new"},
        {"delete_chat_photo": True, "hologram": {"beside": "what is known"}},
        {"pinned_message": from_staff()["message"]},
        {"forum_topic_created": {"name": "x", "icon_color": 1}},
        {"forum_topic_edited": {"icon_custom_emoji_id": "1"}},
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 60}},
        {"video_chat_started": {}},
        {"migrate_to_chat_id": -100777},
    ],
    ids=lambda service: next(iter(service)),
)
def test_service_messages_are_ignored_everywhere(service: Json) -> None:
    for raw in (from_staff(None, **service), from_client(None, **service)):
        assert meaning(raw) is Ignored.SERVICE


# --- what was written -----------------------------------------------------------------------

FILE = {"file_id": "a", "file_unique_id": "b"}
PHOTO = [{**FILE, "width": 1, "height": 1}]
MOVING = {**FILE, "width": 1, "height": 1, "duration": 1}
PLACE = {"latitude": 1.0, "longitude": 2.0}

STICKER = {**FILE, "type": "regular", "is_animated": False, "is_video": False}
POLL = {"id": "1", "question": "?", "options": [], "total_voter_count": 0, "type": "regular"}
POLL |= dict.fromkeys(("is_closed", "is_anonymous", "allows_multiple_answers"), False)
POLL |= dict.fromkeys(("allows_revoting", "members_only"), False)

KINDS: list[tuple[ContentKind, Json]] = [
    (ContentKind.TEXT, {"text": "hello"}),
    (ContentKind.PHOTO, {"photo": PHOTO}),
    (ContentKind.VIDEO, {"video": MOVING}),
    (ContentKind.ANIMATION, {"animation": MOVING, "document": FILE}),
    (ContentKind.DOCUMENT, {"document": FILE}),
    (ContentKind.AUDIO, {"audio": {**FILE, "duration": 1}}),
    (ContentKind.VOICE, {"voice": {**FILE, "duration": 1}}),
    (ContentKind.VIDEO_NOTE, {"video_note": {**FILE, "duration": 1, "length": 1}}),
    (ContentKind.STICKER, {"sticker": {**STICKER, "width": 1, "height": 1}}),
    (ContentKind.POLL, {"poll": POLL}),
    (ContentKind.LOCATION, {"location": PLACE}),
    (
        ContentKind.VENUE,
        {"location": PLACE, "venue": {"location": PLACE, "title": "", "address": ""}},
    ),
    (ContentKind.CONTACT, {"contact": {"phone_number": "+1", "first_name": "A"}}),
    (ContentKind.DICE, {"dice": {"emoji": "🎲", "value": 6}}),
    (ContentKind.UNSUPPORTED, {"game": {"title": "", "description": "", "photo": PHOTO}}),
    (ContentKind.UNSUPPORTED, {"story": {"chat": CHANNEL, "id": 1}}),
    (ContentKind.UNSUPPORTED, {"hologram": {"of": "a newer Bot API"}}),
    (ContentKind.TEXT, {"text": "hello", "hologram": {"beside": "what is known"}}),
]


@pytest.mark.parametrize(("kind", "fields"), KINDS)
def test_each_kind_of_message_is_known_for_what_it_is(kind: ContentKind, fields: Json) -> None:
    for raw in (from_client(**{"text": None, **fields}), from_staff(**{"text": None, **fields})):
        found = meaning(raw)
        assert isinstance(found, Accept)
        assert isinstance(found.message, ClientWrote | StaffWrote)
        assert found.message.content.kind is kind


def test_every_kind_is_among_them() -> None:
    assert {kind for kind, _ in KINDS} == set(ContentKind)


@pytest.mark.parametrize("text", ["// между нами", "/note secret", "/NOTE@desk_bot x", "@x помоги"])
def test_asides_reach_the_ticket_which_knows_them_by_their_text(text: str) -> None:
    for raw in (from_staff(text), from_alice(text), from_staff(None, photo=PHOTO, caption=text)):
        found = meaning(raw)
        assert isinstance(found, Accept)
        assert isinstance(found.message, StaffWrote | TechnicianWrote)
        assert found.message.content.text == text


def test_a_very_long_text_and_its_entities_arrive_untouched() -> None:
    entities: list[Any] = [{"type": "bold", "offset": 0, "length": 4096, "new_field": [1]}]
    raw = from_client("😀я" * 10_000, entities=entities)
    found = meaning(raw)
    assert isinstance(found, Accept)
    assert isinstance(found.message, ClientWrote)
    assert found.message.content.text == "😀я" * 10_000
    assert list(found.message.content.entities) == entities


def test_what_postgres_cannot_keep_is_replaced() -> None:
    found = meaning(from_client("a\0b"))
    assert isinstance(found, Accept)
    assert isinstance(found.message, ClientWrote)
    assert found.message.content.text == "a\ufffdb"


def test_what_people_do_to_a_topic_of_a_ticket_is_for_the_ticket() -> None:
    closed = meaning(from_staff(None, forum_topic_closed={}))
    assert closed == Accept(route=HERE, message=CloseRequested(by=MARIA, place=MAIN, by_hand=True))
    renamed = meaning(from_staff(None, forum_topic_edited={"name": "x"}))
    assert renamed == Accept(route=HERE, message=TopicRenamed(by=MARIA, place=MAIN, name="x"))
    opened = meaning(from_staff(None, forum_topic_reopened={}))
    assert opened == Accept(
        route=HERE, message=ReopenRequested(by=MARIA, place=MAIN, latest=u.TICKET)
    )
    for service in ("forum_topic_closed", "forum_topic_reopened"):
        assert meaning(from_client(None, **{service: {}})) is Ignored.SERVICE
