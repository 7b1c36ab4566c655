"""The survey: three marks, perhaps a comment, saved however it ends."""

from actors.decision import CancelTimer, Feedback
from actors.effects import AnswerPress, Edit, KeyboardKind, Say
from actors.messages import CommentOffered, CommentSkipped, ContentKind, ScoreGiven, TimerFired
from actors.places import CLIENT, MAIN
from tests.fakes.case import IVAN, Case, press


def closed() -> Case:
    case = Case()
    case.client()
    case.close()
    return case


def edited(case: Case) -> tuple[str | None, KeyboardKind | None]:
    """Text key and buttons of the one message that changes."""
    [edit] = case.of(Edit)
    assert edit.place == CLIENT
    return (
        None if edit.text is None else edit.text.key,
        None if edit.keyboard is None else edit.keyboard.kind,
    )


def answered(case: Case) -> str | None:
    [answer] = case.of(AnswerPress)
    return None if answer.text is None else answer.text.key


def test_one_message_shows_the_three_questions_in_turn() -> None:
    case = closed()
    case.score(5)
    assert edited(case) == ("survey-question-2", KeyboardKind.SCORES)
    case.score(5)
    assert edited(case) == ("survey-question-3", KeyboardKind.SCORES)
    assert [say for say in case.of(Say) if say.place == CLIENT] == []


def test_all_fives_are_saved_at_once_and_a_comment_may_be_added() -> None:
    case = closed()
    case.score(5, 5, 5)
    assert edited(case) == ("survey-thanks-offer", KeyboardKind.COMMENT)
    assert case.feedback() == Feedback(scores=(5, 5, 5), comment=None)
    assert [say.place for say in case.of(Say)] == [MAIN]
    case.tell(CommentOffered(press=press(IVAN)))
    asked = case.state
    assert asked.wants_comment
    case.client("thank you!")
    assert case.feedback() == Feedback(scores=(5, 5, 5), comment="thank you!")
    assert not case.state.wants_comment
    assert case.last.timers == (CancelTimer(name="survey"),)


def test_any_mark_under_five_asks_what_to_improve() -> None:
    case = closed()
    case.score(5, 4, 5)
    assert edited(case) == ("survey-improve", KeyboardKind.SKIP)
    assert case.feedback() is None
    case.client("answer faster")
    assert case.feedback() == Feedback(scores=(5, 4, 5), comment="answer faster")
    [summary] = case.of(Say)
    assert summary.place == MAIN
    assert summary.text.args == {
        "ticket": 7,
        "q1": 5,
        "q2": 4,
        "q3": 5,
        "comment": "answer faster",
    }


def test_the_comment_may_be_skipped() -> None:
    case = closed()
    case.score(1, 1, 1)
    case.tell(CommentSkipped(press=press(IVAN)))
    assert case.feedback() == Feedback(scores=(1, 1, 1), comment=None)
    assert edited(case) == ("survey-thanks", None)


def test_only_a_text_is_a_comment() -> None:
    """A photo belongs to a new ticket."""
    case = closed()
    case.score(1, 1, 1)
    assert case.client("", ContentKind.PHOTO).reroute


def test_it_ends_by_itself_with_what_was_given() -> None:
    case = closed()
    case.score(3)
    case.tell(TimerFired(name="survey"))
    assert case.feedback() == Feedback(scores=(3, None, None), comment=None)
    assert edited(case) == ("survey-ended", None)


def test_it_ends_by_itself_without_feedback_when_nothing_was_given() -> None:
    case = closed()
    case.tell(TimerFired(name="survey"))
    assert case.feedback() is None
    assert edited(case) == ("survey-ended", None)


def test_fives_are_not_saved_or_summed_up_twice() -> None:
    case = closed()
    case.score(5, 5, 5)
    case.tell(TimerFired(name="survey"))
    assert case.feedback() is None
    assert case.of(Say) == []
    assert edited(case) == (None, None)


def test_fives_with_an_offered_comment_skipped_are_not_summed_up_twice() -> None:
    case = closed()
    case.score(5, 5, 5)
    case.tell(CommentOffered(press=press(IVAN)))
    case.tell(CommentSkipped(press=press(IVAN)))
    assert case.feedback() is None
    assert case.of(Say) == []


def test_a_double_press_is_answered_politely_and_changes_nothing() -> None:
    case = closed()
    case.score(4)
    before = case.state
    case.tell(ScoreGiven(press=press(IVAN), question=1, score=5))
    assert case.state == before
    assert answered(case) == "survey-answered"


def test_a_late_press_is_answered_politely_and_changes_nothing() -> None:
    case = closed()
    case.tell(TimerFired(name="survey"))
    before = case.state
    for message in (
        ScoreGiven(press=press(IVAN), question=1, score=5),
        CommentOffered(press=press(IVAN)),
        CommentSkipped(press=press(IVAN)),
    ):
        case.tell(message)
        assert case.state == before
        assert answered(case) == "survey-late"


def test_a_press_on_an_open_ticket_is_late_too() -> None:
    case = Case()
    case.client()
    case.tell(ScoreGiven(press=press(IVAN), question=1, score=5))
    assert answered(case) == "survey-late"
    assert case.state.survey is None
