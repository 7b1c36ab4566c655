"""Helper bots share the load of texts; people notice nothing but that it goes faster."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence

import anyio
import pytest

from lab.telegram.client import Object
from lab.telegram.limits import COUNTED, LimitRules
from tests.acceptance.desk import DEADLINE_S, Case, Helpdesk
from tests.acceptance.people import BY_WEBHOOK, POLLING_TOO

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

MAIN, FIRST, SECOND = 42, 43, 44
TOKENS = (f"{FIRST}:helper-one", f"{SECOND}:helper-two")

TOPICS, TEXTS = 8, 8

GROUP_MAX = 40
"""Calls a minute into one group that each bot may make here."""

PACE = {"PACE_BOT_PER_S": "60", "PACE_PRIVATE_PER_S": "2", "PACE_GROUP_PER_MIN": f"{GROUP_MAX}"}


@pytest.fixture
async def desk(mode: str, postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    """As usual, with two helpers that are plain members of all groups."""
    async with Helpdesk.open(mode, postgres_dsn, redis_url, helpers=TOKENS) as opened:
        yield opened


@pytest.fixture
async def paced(mode: str, postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    """The same, and the program keeps to a group's budget."""
    opening = Helpdesk.open(mode, postgres_dsn, redis_url, helpers=TOKENS, **PACE)
    async with opening as opened:
        yield opened


async def calls(desk: Helpdesk, *, ok: bool = True) -> list[Object]:
    """Calls into the main group that count against its budget."""
    return [
        call
        for call in await desk.lab.calls()
        if call["ok"] is ok
        and str(call["chat_id"]) == str(desk.main)
        and call["method"].lower() in COUNTED
    ]


async def authors(desk: Helpdesk, thread: int, words: str) -> Counter[int]:
    """Who wrote the messages of a topic that hold these words."""
    shown = await desk.shown(desk.main, thread)
    return Counter(m["from"]["id"] for m in shown if words in m["text"])


async def open_many(desk: Helpdesk, count: int) -> list[Case]:
    cases = []
    for number in range(count):
        client = 7_000_000 + number
        await desk.lab.add_user(f"Client {number}", id=client, is_client=True)
        cases.append(await desk.opens(client, f"hello {number}"))
    return cases


async def by_helper(desk: Helpdesk) -> tuple[Case, int]:
    """A case of which a helper writes the texts, and that helper."""
    case = await desk.opens(desk.ivan)
    [author] = await authors(desk, case.topic, "Не печатает принтер")
    assert author in {FIRST, SECOND}
    return case, author


# --- the load -------------------------------------------------------------------------------


async def test_three_bots_bring_what_one_could_not(paced: Helpdesk) -> None:
    """Each bot keeps to its own budget; together they make more calls than one may in a minute."""
    desk = paced
    await desk.lab.set_limits(enabled=True, scale=GROUP_MAX / LimitRules().group_max)
    cases = await open_many(desk, TOPICS)
    await desk.lab.send_many(
        [
            {"user": case.client, "chat": case.client, "text": f"<{case.client}:{number}>"}
            for number in range(TEXTS)
            for case in cases
        ]
    )
    for case in cases:
        await desk.sees(desk.main, f"<{case.client}:{TEXTS - 1}>", case.topic)
    await desk.settles()
    shares = Counter(call["bot_id"] for call in await calls(desk))
    assert set(shares) == {MAIN, FIRST, SECOND}
    assert sum(shares.values()) >= 2 * GROUP_MAX
    assert max(shares.values()) <= GROUP_MAX
    assert await calls(desk, ok=False) == []
    for case in cases:
        await _in_order(desk, case)


async def _in_order(desk: Helpdesk, case: Case) -> None:
    """Each text once, in the order in which it was written, all by one bot."""
    shown = await desk.texts(desk.main, case.topic)
    words = "\n".join(shown)
    wanted = [f"<{case.client}:{number}>" for number in range(TEXTS)]
    assert [words.count(each) for each in wanted] == [1] * TEXTS
    assert sorted(wanted, key=words.index) == wanted
    assert len(await authors(desk, case.topic, f"<{case.client}:")) == 1


async def test_topics_are_shared_out_and_each_stays_with_its_bot(desk: Helpdesk) -> None:
    cases = await open_many(desk, 6)
    by_topic: dict[int, set[int]] = defaultdict(set)
    for case in cases:
        await desk.client_writes(case.client, "again")
        await desk.sees(desk.main, "again", case.topic)
        by_topic[case.topic] |= set(await authors(desk, case.topic, "again"))
        by_topic[case.topic] |= set(await authors(desk, case.topic, "hello"))
    assert all(len(found) == 1 for found in by_topic.values())
    assert Counter(min(found) for found in by_topic.values()) == {MAIN: 2, FIRST: 2, SECOND: 2}


async def test_media_and_texts_keep_their_order_although_two_bots_bring_them(
    desk: Helpdesk,
) -> None:
    case, helper = await by_helper(desk)
    wanted = []
    for number in range(8):
        kind = "photo" if number % 2 else "text"
        wanted.append(f"part {number}")
        await desk.client_writes(desk.ivan, wanted[-1], kind=kind)
    await desk.sees(desk.main, wanted[-1], case.topic)
    shown = [m for m in await desk.shown(desk.main, case.topic) if "part" in m["text"]]
    assert [m["text"] for m in shown] == wanted
    assert [m["from"]["id"] for m in shown] == [helper, MAIN] * 4


async def test_helpers_write_in_a_technicians_group_too(desk: Helpdesk) -> None:
    case, _ = await by_helper(desk)
    await desk.client_writes(desk.ivan, "вот фото", kind="photo")
    await desk.assigns(case, "alice")
    _, group = desk.technician("alice")
    written = await desk.staff_writes(case, "Смотрим")
    copy = await desk.sees(group, "Смотрим", case.mirrors["alice"])
    await desk.settles()
    shown = await desk.shown(group, case.mirrors["alice"])
    by = {m["text"].split("\n")[-1]: m["from"]["id"] for m in shown if not m["buttons"]}
    assert by["вот фото"] == MAIN
    assert by["Не печатает принтер"] == by["Смотрим"] != MAIN
    await desk.lab.edit(desk.maria, desk.main, written["message_id"], "Смотрим вдвоём")
    await desk.settles()
    assert (await desk.message(group, copy["message_id"]))["text"].endswith("Смотрим вдвоём")
    await desk.technician_writes(case, "alice", "Готово", reply_to=copy["message_id"])
    answer = await desk.sees(desk.ivan, "Готово")
    asked = await desk.sees(desk.ivan, "Смотрим вдвоём")
    assert answer["reply_to"] == asked["message_id"]


# --- what people do with what a helper wrote ------------------------------------------------


@POLLING_TOO
async def test_an_edit_goes_by_the_author(desk: Helpdesk) -> None:
    case, helper = await by_helper(desk)
    written = await desk.client_writes(desk.ivan, "Кабинет 12")
    copy = await desk.sees(desk.main, "Кабинет 12", case.topic)
    await desk.lab.edit(desk.ivan, desk.ivan, written["message_id"], "Кабинет 21")
    await desk.settles()
    now = await desk.message(desk.main, copy["message_id"])
    assert now["text"] == "Кабинет 21"
    assert now["from"]["id"] == helper
    edits = [c for c in await desk.lab.calls() if c["method"].lower() == "editmessagetext"]
    assert [(c["bot_id"], c["ok"]) for c in edits] == [(helper, True)]


async def test_an_answer_to_what_a_helper_wrote_answers_the_clients_message(
    desk: Helpdesk,
) -> None:
    case, _ = await by_helper(desk)
    written = await desk.client_writes(desk.ivan, "Какой кабинет?")
    copy = await desk.sees(desk.main, "Какой кабинет?", case.topic)
    await desk.settles()
    await desk.staff_writes(case, "Двенадцатый", reply_to=copy["message_id"])
    answer = await desk.sees(desk.ivan, "Двенадцатый")
    assert answer["reply_to"] == written["message_id"]


async def test_a_reaction_to_what_a_helper_wrote_reaches_the_client(desk: Helpdesk) -> None:
    case, _ = await by_helper(desk)
    written = await desk.client_writes(desk.ivan, "Спасибо")
    copy = await desk.sees(desk.main, "Спасибо", case.topic)
    await desk.settles()
    await desk.lab.react(desk.maria, desk.main, copy["message_id"], "👍")
    await desk.settles()
    assert (await desk.message(desk.ivan, written["message_id"]))["reactions"]


async def test_what_helpers_write_is_nobodys_message(desk: Helpdesk) -> None:
    case, _ = await by_helper(desk)
    await desk.staff_writes(case, "Здравствуйте")
    await desk.sees(desk.ivan, "Здравствуйте")
    await desk.settles()
    assert (await desk.texts(desk.ivan)).count("Не печатает принтер") == 0
    said = await desk.value(
        "SELECT count(*) FROM events WHERE ticket_id = :id AND action = 'said'", id=case.number
    )
    assert said == 2


# --- a helper that fails --------------------------------------------------------------------


async def test_a_kicked_helper_is_left_out_and_its_messages_arrive(desk: Helpdesk) -> None:
    await desk.lab.send(desk.maria, desk.maria, "/start")
    case, helper = await by_helper(desk)
    await desk.lab.kick(desk.main, helper)
    words = [f"часть {number}" for number in range(5)]
    for each in words:
        await desk.client_writes(desk.ivan, each)
    await desk.sees(desk.main, words[-1], case.topic)
    await desk.settles()
    texts = await desk.texts(desk.main, case.topic)
    assert [text for text in texts if "часть" in text] == words
    assert await authors(desk, case.topic, "часть") == {MAIN: 5}
    told = await desk.sees(desk.maria, "Бота-помощника")
    assert "MAIN_GROUP_ID" in told["text"]
    assert len([c for c in await desk.lab.calls() if c["bot_id"] == helper and not c["ok"]]) <= 2

    await desk.lab.join(desk.main, helper)
    assert desk.app.helpers is not None
    desk.app.helpers.look()
    await desk.sees(desk.maria, "снова пишет в группе")
    await desk.client_writes(desk.ivan, "и ещё")
    await desk.sees(desk.main, "и ещё", case.topic)
    assert await authors(desk, case.topic, "и ещё") == {helper: 1}
    notices = [t for t in await desk.texts(desk.maria) if "омощник" in t]
    assert len(notices) == 2


async def test_an_edit_of_what_a_kicked_helper_wrote_comes_as_an_answer(desk: Helpdesk) -> None:
    case, helper = await by_helper(desk)
    written = await desk.client_writes(desk.ivan, "Кабинет 12")
    copy = await desk.sees(desk.main, "Кабинет 12", case.topic)
    await desk.lab.kick(desk.main, helper)
    await desk.lab.edit(desk.ivan, desk.ivan, written["message_id"], "Кабинет 21")
    anew = await desk.sees(desk.main, "Кабинет 21", case.topic)
    assert anew["reply_to"] == copy["message_id"]
    assert anew["from"]["id"] == MAIN


async def test_in_a_storm_of_faults_nothing_is_lost_and_the_order_stays(desk: Helpdesk) -> None:
    cases = await open_many(desk, TOPICS)
    for method in ("copy*", "send*"):
        await desk.lab.add_fault("too_many_requests", method=method, probability=0.1, retry_after=1)
        await desk.lab.add_fault("server_error", method=method, probability=0.05)
        await desk.lab.add_fault("drop_after", method=method, probability=0.05)
    await desk.lab.send_many(
        [
            {"user": case.client, "chat": case.client, "text": f"<{case.client}:{number}>"}
            for number in range(TEXTS)
            for case in cases
        ]
    )
    for case in cases:
        await desk.sees(desk.main, f"<{case.client}:{TEXTS - 1}>", case.topic)
    await desk.lab.clear_faults()
    await desk.settles()
    uncertain = sum(call["fault"] == "drop_after" for call in await desk.lab.calls())
    doubled = 0
    for case in cases:
        words = "\n".join(await desk.texts(desk.main, case.topic))
        wanted = [f"<{case.client}:{number}>" for number in range(TEXTS)]
        assert all(each in words for each in wanted)
        assert sorted(wanted, key=words.index) == wanted
        doubled += sum(words.count(each) - 1 for each in wanted)
    assert doubled <= uncertain


@pytest.mark.parametrize("tokens", [("43:unknown", TOKENS[1])])
async def test_a_start_bears_a_helper_that_telegram_does_not_know(
    mode: str, postgres_dsn: str, redis_url: str, tokens: Sequence[str]
) -> None:
    wrong = ",".join(tokens)
    opening = Helpdesk.open(
        mode, postgres_dsn, redis_url, helpers=TOKENS[1:], HELPER_BOT_TOKENS=wrong
    )
    async with opening as desk:
        await desk.lab.send(desk.maria, desk.maria, "/start")
        cases = await open_many(desk, 4)
        shares: Counter[int] = Counter()
        for number, case in enumerate(cases):
            shares += await authors(desk, case.topic, f"hello {number}")
        assert shares == {MAIN: 2, SECOND: 2}
        assert desk.logged("helper_left_out")


async def test_a_helper_that_is_shut_out_is_told_of_at_a_start(
    mode: str, postgres_dsn: str, redis_url: str
) -> None:
    opening = Helpdesk.open(mode, postgres_dsn, redis_url, helpers=TOKENS)
    async with opening as desk:
        await desk.lab.send(desk.maria, desk.maria, "/start")
        await desk.settles()
        await desk.lab.kick(desk.main, FIRST)
        assert desk.app.helpers is not None
        desk.app.helpers.look()
        await desk.sees(desk.maria, "@topicdesk_helper_1_bot")
        with anyio.fail_after(DEADLINE_S):
            case = await desk.opens(desk.ivan)
        assert FIRST not in await authors(desk, case.topic, "Не печатает принтер")
