"""Injected faults and limits of the local Telegram, as a client on the wire meets them."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from lab.telegram.faults import FaultRule
from lab.telegram.limits import LimitRules
from tests.fakes.local_telegram import Lab, open_lab

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with open_lab() as opened:
        yield opened


def _sent(lab: Lab) -> int:
    """How many messages the bot has written to Иван."""
    messages = lab.world.chat(lab.scene.ivan_id).messages
    return sum(1 for message in messages if message.sender.is_bot)


async def _call(lab: Lab, fault: str, timeout_s: float = 5.0, **rule: Any) -> tuple[int, str, str]:
    """One sendMessage under one fault: status, content type, body."""
    lab.world.faults.add(FaultRule(kind=fault, method="sendMessage", times_left=1, **rule))
    async with lab.http.post(
        lab.address("sendMessage"),
        json={"chat_id": lab.scene.ivan_id, "text": "x"},
        timeout=aiohttp.ClientTimeout(total=timeout_s),
    ) as response:
        return response.status, response.content_type, await response.text()


async def test_refusals_come_before_the_effect(lab: Lab) -> None:
    status, _, body = await _call(lab, "too_many_requests", retry_after=7)
    assert (status, '"retry_after":7' in body) == (429, True)
    status, _, body = await _call(lab, "server_error", code=503, description="Busy")
    assert (status, '"description":"Busy"' in body) == (503, True)
    status, kind, body = await _call(lab, "bad_gateway")
    assert (status, kind, "502 Bad Gateway" in body) == (502, "text/html", True)
    status, _, body = await _call(lab, "error", code=400, description="Bad Request: TOPIC_DELETED")
    assert (status, "TOPIC_DELETED" in body) == (400, True)
    assert _sent(lab) == 0


@pytest.mark.parametrize(("fault", "effects"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_may_or_may_not_have_had_its_effect(
    lab: Lab, fault: str, effects: int
) -> None:
    with pytest.raises(aiohttp.ClientError):
        await _call(lab, fault)
    assert _sent(lab) == effects
    await lab.ok("sendMessage", chat_id=lab.scene.ivan_id, text="the next call works")


@pytest.mark.parametrize(("fault", "effects"), [("timeout_before", 0), ("timeout_after", 1)])
async def test_a_time_out_may_or_may_not_have_had_its_effect(
    lab: Lab, fault: str, effects: int
) -> None:
    with pytest.raises(TimeoutError):
        await _call(lab, fault, timeout_s=0.2, seconds=60)
    assert _sent(lab) == effects


async def test_a_slow_answer_is_a_right_one(lab: Lab) -> None:
    status, _, _ = await _call(lab, "slow", seconds=0.1)
    assert (status, _sent(lab)) == (200, 1)


async def test_every_call_is_logged_with_what_became_of_it(lab: Lab) -> None:
    await _call(lab, "server_error")
    await lab.ok("sendMessage", chat_id=lab.scene.ivan_id, text="x")
    await lab.refusal("sendMessage", chat_id=999, text="x")
    records = lab.telegram.bot_api.calls.after(0)[-3:]
    assert [(record.method, record.code, record.fault) for record in records] == [
        ("sendMessage", 500, "server_error"),
        ("sendMessage", 200, None),
        ("sendMessage", 400, None),
    ]
    assert records[-1].description == "Bad Request: chat not found"
    assert lab.telegram.bot_api.calls.after(records[-2].seq) == records[-1:]


async def test_limits_answer_429_with_retry_after_and_have_no_effect(lab: Lab) -> None:
    lab.telegram.bot_api.limits.set_rules(LimitRules(enabled=True))
    given: dict[str, Any] = {"chat_id": lab.scene.main_group_id}
    for index in range(20):
        await lab.ok("sendMessage", **given, text=str(index))
    answer = await lab.raw("createForumTopic", **given, name="one too many")
    assert answer["error_code"] == 429
    assert 55 <= answer["parameters"]["retry_after"] <= 60
    assert not lab.world.chat(lab.scene.main_group_id).topics
