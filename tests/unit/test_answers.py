"""Many viewers, one question."""

import anyio
import pytest

from bootstrap.answers import ANSWERS_MAX, KEPT_MAX_S, KEPT_S, Answers

pytestmark = pytest.mark.anyio


class Database:
    """Answers with a number that grows; may be slow or away."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked = 0
        self.takes_s = 0.0
        self.gate: anyio.Event | None = None
        self.error: Exception | None = None

    def clock(self) -> float:
        return self.now

    async def ask(self) -> int:
        self.asked += 1
        number = self.asked
        if self.gate is not None:
            await self.gate.wait()
        self.now += self.takes_s
        if self.error is not None:
            raise self.error
        return number


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def answers(database: Database) -> Answers:
    return Answers(database.clock)


async def test_who_asks_the_same_within_a_second_gets_the_same(
    database: Database, answers: Answers
) -> None:
    assert [await answers.get("open", database.ask) for _ in range(50)] == [1] * 50
    assert await answers.get("closed", database.ask) == 2
    database.now += KEPT_S
    assert await answers.get("open", database.ask) == 3


async def test_fifty_at_once_are_one_question(database: Database, answers: Answers) -> None:
    database.gate = anyio.Event()
    heard: list[int] = []

    async def look() -> None:
        heard.append(await answers.get("open", database.ask))

    async with anyio.create_task_group() as viewers:
        for _ in range(50):
            viewers.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        database.gate.set()
    assert heard == [1] * 50


async def test_what_was_changed_is_seen_by_the_next_who_asks(
    database: Database, answers: Answers
) -> None:
    database.gate = anyio.Event()
    heard: list[int] = []

    async def look() -> None:
        heard.append(await answers.get("open", database.ask))

    async with anyio.create_task_group() as viewers:
        viewers.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        answers.forget()  # an action, while the question was under way
        viewers.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        database.gate.set()
    assert heard == [1, 2]
    assert await answers.get("open", database.ask) == 2


async def test_a_question_that_takes_long_is_asked_less_often(
    database: Database, answers: Answers
) -> None:
    database.takes_s = 0.4
    assert await answers.get("open", database.ask) == 1
    database.now += 3.9
    assert await answers.get("open", database.ask) == 1
    database.now += 0.2
    database.takes_s = 60.0
    assert await answers.get("open", database.ask) == 2
    database.now += KEPT_MAX_S
    assert await answers.get("open", database.ask) == 3


async def test_an_error_reaches_all_who_waited_and_is_not_kept(
    database: Database, answers: Answers
) -> None:
    database.gate, database.error = anyio.Event(), ConnectionError("away")
    refused: list[str] = []

    async def look() -> None:
        try:
            await answers.get("open", database.ask)
        except ConnectionError as error:
            refused.append(str(error))

    async with anyio.create_task_group() as viewers:
        for _ in range(3):
            viewers.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        database.gate.set()
    assert (refused, database.asked) == (["away"] * 3, 1)
    database.error = None
    assert await answers.get("open", database.ask) == 2


async def test_when_who_asked_leaves_another_asks(database: Database, answers: Answers) -> None:
    database.gate = anyio.Event()
    heard: list[int] = []

    async def look() -> None:
        heard.append(await answers.get("open", database.ask))

    async def leave(scope: anyio.CancelScope) -> None:
        with scope:
            await look()

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as viewers:
        viewers.start_soon(leave, scope)
        await anyio.wait_all_tasks_blocked()
        viewers.start_soon(look)
        viewers.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        database.gate.set()
    assert heard == [2, 2]


async def test_only_so_many_are_remembered(database: Database, answers: Answers) -> None:
    for number in range(ANSWERS_MAX * 3):
        await answers.get(number, database.ask)
    asked = database.asked
    await answers.get(ANSWERS_MAX * 3 - 1, database.ask)
    assert database.asked == asked
    await answers.get(0, database.ask)
    assert database.asked == asked + 1
