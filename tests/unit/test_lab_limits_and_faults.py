"""The local Telegram's limits and injected faults, with a clock of the test's own."""

import pytest

from lab.telegram.errors import ApiError
from lab.telegram.faults import FaultRule, Faults
from lab.telegram.limits import LimitRules, Limits

GROUP, PERSON, BOT = -100, 7, 42


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _refused(limits: Limits, method: str, chat_id: int, bot_id: int = BOT, cost: int = 1) -> int:
    """The ``retry_after`` of a call, 0 when it may pass."""
    try:
        limits.check(method, bot_id, chat_id, cost)
    except ApiError as error:
        refused = error
    else:
        return 0
    seconds = (refused.parameters or {})["retry_after"]
    assert refused.code == 429
    assert refused.description == f"Too Many Requests: retry after {seconds}"
    return seconds


def test_limits_are_off_until_asked_for() -> None:
    limits = Limits()
    assert not any(_refused(limits, "sendmessage", GROUP) for _ in range(100))


def test_a_group_takes_twenty_a_minute_and_says_when_to_come_back() -> None:
    clock = Clock()
    limits = Limits(LimitRules(enabled=True), clock)
    for _ in range(20):
        assert not _refused(limits, "sendmessage", GROUP)
        clock.now += 1
    assert _refused(limits, "sendmessage", GROUP) == 40
    assert limits.refused == 1
    clock.now += 40
    assert not _refused(limits, "sendmessage", GROUP)


def test_edits_renames_and_new_topics_spend_the_groups_budget_and_answers_do_not() -> None:
    limits = Limits(LimitRules(enabled=True), Clock())
    for method in ("editmessagetext", "editforumtopic", "createforumtopic", "copymessage") * 5:
        assert not _refused(limits, method, GROUP)
    assert not _refused(limits, "answercallbackquery", GROUP)
    assert not _refused(limits, "deletemessage", GROUP)
    assert _refused(limits, "editforumtopic", GROUP)
    assert not _refused(limits, "sendmessage", GROUP - 1), "another group has its own budget"
    assert not _refused(limits, "sendmessage", GROUP, bot_id=43), "and so has another bot"


def test_an_album_costs_as_many_as_it_has_pictures() -> None:
    limits = Limits(LimitRules(enabled=True), Clock())
    assert not _refused(limits, "sendmediagroup", GROUP, cost=10)
    assert not _refused(limits, "sendmediagroup", GROUP, cost=9)
    assert _refused(limits, "sendmediagroup", GROUP, cost=2)


def test_a_private_chat_takes_a_short_burst_then_one_a_second() -> None:
    clock = Clock()
    limits = Limits(LimitRules(enabled=True, private_burst=3), clock)
    assert [_refused(limits, "copymessage", PERSON) for _ in range(4)] == [0, 0, 0, 1]
    clock.now += 1
    assert [_refused(limits, "copymessage", PERSON) for _ in range(2)] == [0, 1]


def test_a_bot_takes_thirty_a_second_over_all_chats() -> None:
    limits = Limits(LimitRules(enabled=True), Clock())
    assert not any(_refused(limits, "sendmessage", chat_id) for chat_id in range(1, 31))
    assert _refused(limits, "sendmessage", 31) == 1


def test_a_scale_gives_more_of_everything() -> None:
    limits = Limits(LimitRules(enabled=True, scale=2), Clock())
    assert not any(_refused(limits, "sendmessage", GROUP) for _ in range(40))
    assert _refused(limits, "sendmessage", GROUP)


def test_setting_the_webhook_twice_within_a_second_is_refused() -> None:
    clock = Clock()
    limits = Limits(LimitRules(enabled=True), clock)
    limits.check("setwebhook", BOT, None, 1)
    with pytest.raises(ApiError, match="Too Many Requests"):
        limits.check("setwebhook", BOT, None, 1)
    clock.now += 1
    limits.check("setwebhook", BOT, None, 1)


def test_a_fault_strikes_as_often_as_it_was_told() -> None:
    faults = Faults()
    rule = faults.add(FaultRule(kind="slow", method="send*", times_left=2))
    assert faults.for_call("copymessage", None) is None
    assert faults.for_call("sendmessage", None) is rule
    assert faults.for_call("sendphoto", None) is rule
    assert faults.for_call("sendmessage", None) is None
    assert rule.hits == 2


def test_a_fault_may_be_meant_for_one_chat_and_be_taken_back() -> None:
    faults = Faults()
    rule = faults.add(FaultRule(kind="drop_after", method="copyMessage", chat_id=GROUP))
    assert faults.for_call("copymessage", PERSON) is None
    assert faults.for_call("copymessage", GROUP) is rule
    faults.clear(rule.id)
    assert faults.for_call("copymessage", GROUP) is None


def test_a_seed_makes_the_draws_repeatable() -> None:
    def draws(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(FaultRule(kind="server_error", probability=0.3))
        return [faults.for_call("sendmessage", None) is not None for _ in range(200)]

    assert draws(1) == draws(1) != draws(2)
    assert 30 < sum(draws(1)) < 90


def test_call_faults_and_update_faults_do_not_mix() -> None:
    faults = Faults()
    faults.add(FaultRule(kind="duplicate", method="message"))
    assert faults.for_call("message", None) is None
    assert faults.for_update("callback_query") is None
    assert faults.for_update("message") is not None


def test_unknown_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="no such fault: fire"):
        Faults().add(FaultRule(kind="fire"))
    with pytest.raises(ValueError, match="between 0 and 1"):
        Faults().add(FaultRule(kind="slow", probability=2))
