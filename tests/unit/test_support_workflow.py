"""What the helpdesk decides: every line of the product's promise, message by message."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.decision import Actor, Decision
from actors.effects import (
    AnswerPress,
    CloseTopic,
    Copy,
    CopyHistory,
    Edit,
    Keyboard,
    KeyboardKind,
    OpenTopic,
    React,
    RenameTopic,
    ReopenTopic,
    Resend,
    Say,
    ShowCard,
)
from actors.errors import Poison
from actors.ids import ChatId, ThreadId
from actors.messages import (
    CloseRequested,
    ContentKind,
    DeliveryFailed,
    FailureReason,
    RetryRequested,
    TimerFired,
    TopicOpened,
    Unreadable,
)
from actors.places import CLIENT, MAIN, Place, mirror
from actors.state import FAILED_MAX, MOVES, Status
from tests.fakes.case import ALICE, BOB, CLIENT_ID, MAIN_CHAT, OLEG, Case, kinds, press

A, B = mirror(ALICE.id), mirror(BOB.id)


@pytest.fixture
def case() -> Case:
    """A ticket whose client has written once."""
    opened = Case()
    opened.client("the printer is on fire")
    return opened


class TestANewTicket:
    def test_opens_a_topic_shows_the_card_copies_the_message_and_gives_a_receipt(self) -> None:
        case = Case()
        decision = case.client()
        assert kinds(decision.effects) == ["OpenTopic", "ShowCard", "Copy", "Say"]
        [topic], [card], [receipt] = case.of(OpenTopic), case.of(ShowCard), case.of(Say)
        assert (topic.place, topic.title.key) == (MAIN, "title-new")
        assert topic.title.args == {"ticket": 7, "client": "Иван", "username": "ivan"}
        assert card.keyboard.kind is KeyboardKind.TRIAGE
        assert (receipt.place, receipt.text.key) == (CLIENT, "received")

    def test_the_second_message_is_only_copied(self, case: Case) -> None:
        assert kinds(case.client("still burning").effects) == ["Copy"]

    def test_after_a_closed_one_names_the_former_ticket(self) -> None:
        case = Case(former=3)
        case.client()
        assert case.of(ShowCard)[0].former == 3
        assert case.of(Say)[0].text.key == "received-after"
        assert case.of(Say)[0].text.args == {"ticket": 7, "former": 3}

    def test_of_a_kind_that_cannot_be_copied_is_still_opened_and_the_client_is_told(self) -> None:
        case = Case()
        case.client(kind=ContentKind.UNSUPPORTED)
        assert case.of(Copy) == []
        assert [(say.place, say.text.key) for say in case.of(Say)] == [
            (MAIN, "undelivered"),
            (CLIENT, "received"),
            (CLIENT, "cannot-deliver-kind"),
        ]
        assert len(case.of(OpenTopic)) == 1


class TestAssigning:
    def test_opens_the_mirror_fills_it_with_history_and_renames_the_main_topic(
        self, case: Case
    ) -> None:
        decision = case.assign()
        assert case.state.status is Status.WORK
        in_mirror = [e for e in decision.effects if getattr(e, "place", None) == A]
        assert kinds(in_mirror) == ["OpenTopic", "Say", "CopyHistory"]
        [renamed] = case.of(RenameTopic)
        assert renamed.title.key == "title-work"
        assert renamed.title.args == {"ticket": 7, "client": "Иван", "technician": "alice"}
        [edit] = case.of(Edit)
        assert edit.keyboard is not None
        assert (edit.keyboard.generation, edit.keyboard.technician_id) == (1, ALICE.id)
        assert case.actions()[-1] == "assigned"

    def test_starts_a_turn_of_its_own_so_that_the_history_is_complete(self, case: Case) -> None:
        assert case.assign().starts_turn

    def test_a_second_press_of_the_same_old_button_is_told_who_was_first(self, case: Case) -> None:
        case.assign(ALICE, generation=0)
        case.assign(BOB, by=OLEG, generation=0)
        [answer] = case.of(AnswerPress)
        assert case.state.technician == ALICE
        assert answer.text is not None
        assert answer.text.key == "press-already-assigned"
        assert answer.text.args == {"technician": "alice", "by": "Мария"}
        assert kinds(case.last.effects) == ["AnswerPress"]

    def test_to_the_one_who_has_it_already_changes_nothing(self, case: Case) -> None:
        case.assign(ALICE)
        before = case.state
        case.assign(ALICE)
        assert case.state == before
        assert kinds(case.last.effects) == ["AnswerPress"]

    def test_again_takes_the_bridge_from_the_former_technician(self, case: Case) -> None:
        case.assign(ALICE)
        case.assign(BOB)
        assert case.state.technician == BOB
        told = [(say.place, say.text.key) for say in case.of(Say)]
        assert (A, "mirror-unassigned") in told
        assert (MAIN, "reassigned") in told
        assert case.of(CloseTopic) == [CloseTopic(place=A)]
        assert case.of(CopyHistory) == [CopyHistory(place=B, after_seq=0)]

    def test_back_to_a_former_technician_reopens_the_topic_and_copies_only_what_is_new(
        self, case: Case
    ) -> None:
        case.assign(ALICE)  # 2
        case.assign(BOB)  # 3: alice has seen everything up to here
        case.client("more")
        case.assign(ALICE)
        assert case.of(ReopenTopic) == [ReopenTopic(place=A)]
        assert case.of(OpenTopic) == []
        assert case.of(CopyHistory) == [CopyHistory(place=A, after_seq=3)]

    def test_a_closed_ticket_is_refused(self, case: Case) -> None:
        case.close()
        case.assign()
        assert case.state.status is Status.CLOSED
        assert case.of(AnswerPress)[0].text is not None


class TestTheBridge:
    def test_the_client_is_heard_in_both_topics(self, case: Case) -> None:
        case.assign()
        case.client("and the toner?")
        assert [copy.place for copy in case.of(Copy)] == [MAIN, A]
        assert all(copy.label is None for copy in case.of(Copy))

    def test_the_technician_reaches_the_client_without_a_name_and_the_staff_with_it(
        self, case: Case
    ) -> None:
        case.assign()
        case.technician("on my way")
        to_client, to_main = case.of(Copy)
        assert (to_client.place, to_client.label) == (CLIENT, None)
        assert to_main.place == MAIN
        assert to_main.label is not None
        assert to_main.label.args == {"name": "alice"}

    def test_the_staff_reach_the_client_and_the_mirror(self, case: Case) -> None:
        case.assign()
        case.staff("we are on it")
        assert [(copy.place, copy.label is None) for copy in case.of(Copy)] == [
            (CLIENT, True),
            (A, False),
        ]

    def test_the_staff_can_answer_before_anybody_is_assigned(self, case: Case) -> None:
        case.staff("which floor?")
        assert [copy.place for copy in case.of(Copy)] == [CLIENT]

    def test_a_technician_who_lost_the_ticket_is_told_and_not_heard(self, case: Case) -> None:
        case.assign(ALICE)
        case.assign(BOB)
        case.technician("hello?", ALICE)
        assert case.of(Copy) == []
        [say] = case.of(Say)
        assert (say.place, say.text.key) == (A, "not-sent-unassigned")
        assert say.text.args == {"technician": "bob"}

    @pytest.mark.parametrize("kind", [k for k in ContentKind if k is not ContentKind.UNSUPPORTED])
    def test_every_kind_goes_both_ways(self, case: Case, kind: ContentKind) -> None:
        case.assign()
        assert len(case.client("", kind).effects) == 2
        assert len(case.technician("", kind=kind).effects) == 2
        assert len(case.staff("", kind=kind).effects) == 2

    def test_what_cannot_be_copied_is_said_to_its_author(self, case: Case) -> None:
        case.assign()
        case.technician(kind=ContentKind.UNSUPPORTED)
        assert [(say.place, say.text.key) for say in case.of(Say)] == [(A, "cannot-deliver-kind")]
        case.staff(kind=ContentKind.UNSUPPORTED)
        assert [(say.place, say.text.key) for say in case.of(Say)] == [
            (MAIN, "cannot-deliver-kind")
        ]


class TestAsides:
    @pytest.mark.parametrize(
        ("text", "action"),
        [
            ("/note call back at noon", "noted"),
            ("/note@desk_bot call back", "noted"),
            ("// difficult client", "noted"),
            ("  //indented", "noted"),
            ("@petrov помоги с принтером", "specialist_called"),
            ("@petrov, помогите", "specialist_called"),
            ("@petrov help", "specialist_called"),
        ],
    )
    def test_never_reach_the_client(self, case: Case, text: str, action: str) -> None:
        case.assign()
        for decision in (case.staff(text), case.technician(text)):
            assert CLIENT not in [copy.place for copy in case.of(Copy)]
            assert decision.events[0].action == action
            assert case.of(React)

    def test_of_a_technician_are_shown_to_the_staff(self, case: Case) -> None:
        case.assign()
        case.technician("// needs a new fuser")
        assert [copy.place for copy in case.of(Copy)] == [MAIN]

    @pytest.mark.parametrize(
        "text", ["see http://example.org", "a // b", "/notes are here", "@petrov will come"]
    )
    def test_are_not_seen_where_there_are_none(self, case: Case, text: str) -> None:
        case.staff(text)
        assert [copy.place for copy in case.of(Copy)] == [CLIENT]


class TestClosing:
    def test_closes_both_topics_and_offers_the_survey(self, case: Case) -> None:
        case.assign()
        case.close()
        assert case.state.status is Status.CLOSED
        assert {topic.place for topic in case.of(CloseTopic)} == {MAIN, A}
        assert {topic.title.key for topic in case.of(RenameTopic)} == {"title-closed"}
        survey = next(say for say in case.of(Say) if say.place == CLIENT)
        assert survey.text.key == "survey-question-1"
        assert [timer.name for timer in case.last.timers] == ["survey"]

    def test_each_topic_is_closed_last(self, case: Case) -> None:
        """Nothing is written into a topic after it was closed."""
        case.assign()
        decision = case.close()
        for place in (MAIN, A):
            assert kinds(e for e in decision.effects if getattr(e, "place", None) == place)[-1] == (
                "CloseTopic"
            )

    def test_by_the_technician_in_the_mirror(self, case: Case) -> None:
        case.assign()
        case.tell(CloseRequested(by=OLEG, place=A))
        assert case.state.status is Status.CLOSED
        assert case.events[-1].actor is Actor.TECH

    def test_by_a_technician_who_lost_the_ticket_is_refused(self, case: Case) -> None:
        case.assign(ALICE)
        case.assign(BOB)
        case.tell(CloseRequested(by=OLEG, place=A, press=press(OLEG)))
        assert case.state.status is Status.WORK
        assert kinds(case.last.effects) == ["AnswerPress"]

    def test_without_a_technician_uses_a_title_without_one(self, case: Case) -> None:
        case.close()
        assert case.of(RenameTopic)[0].title.key == "title-closed-unassigned"

    def test_twice_changes_nothing(self, case: Case) -> None:
        case.close()
        before = case.state
        case.close()
        assert case.state == before
        assert kinds(case.last.effects) == ["AnswerPress"]

    def test_ends_the_bridge_for_staff_and_technician(self, case: Case) -> None:
        case.assign()
        case.close()
        for decision in (case.staff(), case.technician()):
            assert kinds(decision.effects) == ["Say"]
            assert case.of(Say)[0].text.key == "not-sent-closed"

    def test_sends_the_clients_next_message_to_the_next_ticket(self, case: Case) -> None:
        case.close()
        decision = case.client("one more thing")
        assert decision.reroute
        assert decision.effects == ()


class TestFailures:
    def failed(
        self, case: Case, reason: FailureReason, *, copy: bool = True, place: str = "client"
    ) -> Decision:
        content = case.content(MAIN_CHAT if place == "client" else ChatId(CLIENT_ID))
        return case.tell(
            DeliveryFailed(
                place=CLIENT if place == "client" else MAIN,
                effect="Copy" if copy else "Say",
                reason=reason,
                detail="Telegram said no",
                content=content if copy else None,
            )
        )

    def test_a_client_who_blocked_the_bot_is_said_once_then_each_lost_message(
        self, case: Case
    ) -> None:
        self.failed(case, FailureReason.CLIENT_BLOCKED)
        assert [say.text.key for say in case.of(Say)] == ["client-unreachable"]
        self.failed(case, FailureReason.CLIENT_BLOCKED)
        assert [say.text.key for say in case.of(Say)] == ["undelivered"]

    def test_a_client_who_writes_again_is_reachable(self, case: Case) -> None:
        self.failed(case, FailureReason.CLIENT_BLOCKED)
        case.client()
        assert not case.state.client_unreachable

    def test_an_uncopyable_message_is_said_to_its_author(self, case: Case) -> None:
        self.failed(case, FailureReason.UNCOPYABLE)
        assert [(say.place, say.text.key) for say in case.of(Say)] == [
            (MAIN, "cannot-deliver-kind")
        ]
        self.failed(case, FailureReason.UNCOPYABLE, place="main")
        assert (CLIENT, "cannot-deliver-kind") in [(s.place, s.text.key) for s in case.of(Say)]

    def test_a_card_can_be_tried_again_once(self, case: Case) -> None:
        content = case.content(MAIN_CHAT, "Приедем завтра")
        failed = DeliveryFailed(
            place=CLIENT,
            effect="Copy",
            reason=FailureReason.REFUSED,
            detail="",
            content=content,
            row=41,
        )
        case.tell(failed)
        [card] = case.of(Say)
        assert (card.text.key, card.text.args["words"]) == ("undeliverable", "Приедем завтра")
        assert card.keyboard == Keyboard(kind=KeyboardKind.RETRY, card=41)
        case.tell(RetryRequested(press=press(), card=41))
        assert case.of(Resend) == [Resend(place=CLIENT, row=41)]
        assert case.of(Edit) == [Edit(place=MAIN, tag=card.tag or "")]
        case.tell(RetryRequested(press=press(), card=41))
        assert kinds(case.last.effects) == ["AnswerPress"]

    def test_the_bots_own_doings_have_one_card_for_each_kind(self, case: Case) -> None:
        def fails(row: int, place: Place = A) -> list[Say]:
            reason = FailureReason.CHAT_GONE
            effect = "RenameTopic"
            case.tell(DeliveryFailed(place=place, effect=effect, reason=reason, detail="", row=row))
            return case.of(Say)

        assert len(fails(1)) == 1
        assert fails(2) == []
        assert len(fails(3, MAIN)) == 1
        case.tell(RetryRequested(press=press(), card=1))
        assert case.of(Resend) == [Resend(place=A, row=2)], "the newest title"
        assert len(fails(4)) == 1, "and a new card afterwards"

    def test_a_ticket_keeps_no_more_cards_than_its_snapshot_can_carry(self, case: Case) -> None:
        for row in range(1, FAILED_MAX + 3):
            case.tell(
                DeliveryFailed(
                    place=CLIENT,
                    effect="Copy",
                    reason=FailureReason.REFUSED,
                    detail="",
                    content=case.content(MAIN_CHAT),
                    row=row,
                )
            )
        assert len(case.state.failed) == FAILED_MAX
        case.tell(RetryRequested(press=press(), card=1))
        assert kinds(case.last.effects) == ["AnswerPress"]

    def test_a_row_that_cannot_be_read_has_a_card_without_a_button(self, case: Case) -> None:
        reason = FailureReason.REFUSED
        case.tell(DeliveryFailed(place=CLIENT, effect="Copy", reason=reason, detail="unreadable"))
        [card] = case.of(Say)
        assert (card.text.key, card.keyboard) == ("undeliverable", None)

    @pytest.mark.parametrize(
        "reason", [reason for reason in FailureReason if reason is not FailureReason.CLIENT_BLOCKED]
    )
    def test_no_failure_of_the_main_topic_answers_into_itself_for_ever(
        self, case: Case, reason: FailureReason
    ) -> None:
        """A failed notice in the main topic must not cause the next notice there."""
        case.tell(DeliveryFailed(place=MAIN, effect="Say", reason=reason, detail=""))
        assert case.last.effects == ()


class TestTheRest:
    def test_a_topic_that_was_opened_is_logged(self, case: Case) -> None:
        case.tell(TopicOpened(place=MAIN, chat_id=MAIN_CHAT, thread_id=ThreadId(5)))
        assert case.events[-1].payload == {"place": "main", "chat_id": -1001, "thread_id": 5}

    def test_an_unknown_timer_changes_nothing(self, case: Case) -> None:
        assert case.tell(TimerFired(name="gone")) == Decision(state=case.state)

    def test_an_unreadable_message_is_poison(self, case: Case) -> None:
        with pytest.raises(Poison, match="no such type"):
            case.tell(Unreadable(detail="no such type"))

    def test_a_closed_ticket_moves_only_when_it_is_opened_again(self) -> None:
        assert MOVES[Status.CLOSED] == {Status.NEW, Status.WORK}, "by the staff's hand only"


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from(["client", "staff", "tech", "alice", "bob", "close", "5", "1", "t"]))
)
def test_whatever_happens_a_ticket_stays_in_its_table_of_moves(steps: list[str]) -> None:
    """Total: any order of messages is answered."""
    case = Case()
    case.client()
    for step in steps:
        status = case.state.status
        match step:
            case "client":
                case.client()
            case "staff":
                case.staff()
            case "tech":
                case.technician()
            case "alice" | "bob":
                case.assign(ALICE if step == "alice" else BOB)
            case "close":
                case.close()
            case "t":
                case.tell(TimerFired(name="survey"))
            case _ if case.state.survey is not None:
                case.score(int(step))
        assert case.state.status is status or case.state.status in MOVES[status]
        assert (case.state.technician is None) <= (case.state.status is not Status.WORK)
