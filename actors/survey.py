"""The survey after a ticket is closed: three marks, perhaps a comment, twenty-four hours.

One message changes on the client's screen: question 1 → 2 → 3 → (any mark under 5: "what should we
improve?", the client's next text is the answer) or (all fives: thanks, with a button to add a
comment). Whatever was given is saved, whether it ends by an answer, by "skip" or by the timer.
"""

from dataclasses import replace
from datetime import timedelta

from actors.decision import Actor, ArmTimer, CancelTimer, Decision, Event, Feedback
from actors.effects import SURVEY_TAG, AnswerPress, Edit, Keyboard, KeyboardKind, Say, Text
from actors.messages import Press
from actors.places import CLIENT, MAIN
from actors.state import SCORE_MAX, SURVEY_QUESTIONS, Survey, SurveyStage, TicketState

TIMER = "survey"
LASTS = timedelta(hours=24)
"""How long the client may answer (product decision)."""

COMMENT_LENGTH_MAX = 4096
"""A comment is one Telegram text."""


def _question(number: int, state: TicketState) -> tuple[Text, Keyboard]:
    text = Text(key=f"survey-question-{number}", args={"ticket": state.ticket_id})
    return text, Keyboard(kind=KeyboardKind.SCORES, question=number)


def offer(state: TicketState) -> tuple[TicketState, Say, ArmTimer]:
    """Starts the survey of a ticket that has just been closed."""
    text, keyboard = _question(1, state)
    say = Say(place=CLIENT, text=text, keyboard=keyboard, tag=SURVEY_TAG)
    survey = Survey(stage=SurveyStage.ASKING)
    return replace(state, survey=survey), say, ArmTimer(name=TIMER, after=LASTS)


def scored(state: TicketState, press: Press, question: int, score: int) -> Decision:
    """A mark was pressed; a late or repeated one is answered and changes nothing."""
    survey = state.survey
    if survey is None or survey.stage is SurveyStage.ENDED:
        return _answered(state, press, "survey-late")
    if survey.stage is not SurveyStage.ASKING or question != survey.question:
        return _answered(state, press, "survey-answered")
    survey = replace(survey, scores=(*survey.scores, score))
    event = Event(
        actor=Actor.CLIENT, action="scored", payload={"question": question, "score": score}
    )
    answer = AnswerPress(callback_id=press.callback_id, text=Text(key="survey-noted"))
    if survey.question <= SURVEY_QUESTIONS:
        text, keyboard = _question(survey.question, state)
        edit = Edit(place=CLIENT, tag=SURVEY_TAG, text=text, keyboard=keyboard)
        return Decision(
            state=replace(state, survey=survey), events=(event,), effects=(answer, edit)
        )
    if min(survey.scores) < SCORE_MAX:
        survey = replace(survey, stage=SurveyStage.COMMENT_ASKED)
        edit = Edit(
            place=CLIENT,
            tag=SURVEY_TAG,
            text=Text(key="survey-improve"),
            keyboard=Keyboard(kind=KeyboardKind.SKIP),
        )
        return Decision(
            state=replace(state, survey=survey), events=(event,), effects=(answer, edit)
        )
    survey = replace(survey, stage=SurveyStage.COMMENT_OFFERED)
    edit = Edit(
        place=CLIENT,
        tag=SURVEY_TAG,
        text=Text(key="survey-thanks-offer", args={"ticket": state.ticket_id}),
        keyboard=Keyboard(kind=KeyboardKind.COMMENT),
    )
    state = replace(state, survey=survey)
    return Decision(
        state=state,
        events=(event,),
        effects=(answer, edit, _summary(state)),
        feedback=_feedback(survey),
    )


def comment_offered(state: TicketState, press: Press) -> Decision:
    """The button "add a comment" was pressed under a survey of fives."""
    survey = state.survey
    if survey is None or survey.stage is SurveyStage.ENDED:
        return _answered(state, press, "survey-late")
    if survey.stage is not SurveyStage.COMMENT_OFFERED:
        return _answered(state, press, "survey-answered")
    edit = Edit(
        place=CLIENT,
        tag=SURVEY_TAG,
        text=Text(key="survey-comment-ask"),
        keyboard=Keyboard(kind=KeyboardKind.SKIP),
    )
    return Decision(
        state=replace(state, survey=replace(survey, stage=SurveyStage.COMMENT_ASKED)),
        effects=(AnswerPress(callback_id=press.callback_id), edit),
    )


def comment_skipped(state: TicketState, press: Press) -> Decision:
    """The button "skip" was pressed: the survey ends with the marks alone."""
    survey = state.survey
    if survey is None or survey.stage is SurveyStage.ENDED:
        return _answered(state, press, "survey-late")
    if survey.stage is not SurveyStage.COMMENT_ASKED:
        return _answered(state, press, "survey-answered")
    event = Event(actor=Actor.CLIENT, action="comment_skipped")
    ended = _ended(state, survey, "survey-thanks", event)
    answer = AnswerPress(callback_id=press.callback_id)
    return replace(ended, effects=(answer, *ended.effects))


def commented(state: TicketState, text: str) -> Decision:
    """The client answered the request for a comment with a text."""
    survey = state.survey
    assert survey is not None, state
    assert survey.stage is SurveyStage.COMMENT_ASKED, state
    comment = text[:COMMENT_LENGTH_MAX]
    event = Event(actor=Actor.CLIENT, action="commented", payload={"text": comment})
    return _ended(state, replace(survey, comment=comment), "survey-thanks", event)


def timed_out(state: TicketState) -> Decision:
    """The timer fired: what was given is kept, and the message says that it is over."""
    survey = state.survey
    if survey is None or survey.stage is SurveyStage.ENDED:
        return Decision(state=state)
    event = Event(actor=Actor.SYSTEM, action="survey_timed_out")
    if survey.stage is SurveyStage.COMMENT_OFFERED:  # saved and thanked already
        closed = replace(state, survey=replace(survey, stage=SurveyStage.ENDED))
        edit = Edit(place=CLIENT, tag=SURVEY_TAG)
        return Decision(state=closed, events=(event,), effects=(edit,))
    return _ended(state, survey, "survey-ended", event)


def _ended(state: TicketState, survey: Survey, key: str, event: Event) -> Decision:
    """Ends the survey; what was given is saved and summed up for the staff.

    Fives were saved when they were given, so only a new comment makes it worth saying again.
    """
    state = replace(state, survey=replace(survey, stage=SurveyStage.ENDED))
    edit = Edit(place=CLIENT, tag=SURVEY_TAG, text=Text(key=key, args={"ticket": state.ticket_id}))
    told = survey.scores == (SCORE_MAX,) * SURVEY_QUESTIONS and survey.comment is None
    given = bool(survey.scores) and not told
    return Decision(
        state=state,
        events=(event,),
        effects=(edit, _summary(state)) if given else (edit,),
        timers=(CancelTimer(name=TIMER),),
        feedback=_feedback(survey) if given else None,
    )


def _marks(survey: Survey) -> tuple[int | None, int | None, int | None]:
    first, second, third, *_ = (*survey.scores, None, None, None)
    return first, second, third


def _feedback(survey: Survey) -> Feedback:
    return Feedback(scores=_marks(survey), comment=survey.comment)


def _summary(state: TicketState) -> Say:
    assert state.survey is not None, state
    first, second, third = (mark or 0 for mark in _marks(state.survey))
    args: dict[str, str | int] = {
        "ticket": state.ticket_id,
        "q1": first,
        "q2": second,
        "q3": third,
        "comment": state.survey.comment or "",
    }
    return Say(place=MAIN, text=Text(key="feedback-summary", args=args))


def _answered(state: TicketState, press: Press, key: str) -> Decision:
    answer = AnswerPress(callback_id=press.callback_id, text=Text(key=key))
    return Decision(state=state, effects=(answer,))
