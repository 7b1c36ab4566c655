"""The watch over helper bots: what it finds, whom it tells, and how often."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from aiogram.exceptions import (
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramUnauthorizedError,
)
from aiogram.methods import GetChat, GetChatMember, GetMe, SendMessage, TelegramMethod
from aiogram.types import (
    ChatFullInfo,
    ChatMemberAdministrator,
    ChatMemberBanned,
    ChatMemberLeft,
    ChatMemberMember,
    ChatMemberRestricted,
    ChatPermissions,
    User,
)
from anyio.lowlevel import checkpoint

from actors.ids import ChatId, UserId
from bot.delivery import PaceOptions
from bot.delivery.crew import Crew, Sender
from bot.delivery.helping import Trouble
from bot.delivery.pace import Pace
from bot.helpers import HelperOptions, HelperWatch
from bot.texts import Texts
from tests.fakes.bot_api import METHOD
from tests.fakes.delivery import MAIN_BOT, until

pytestmark = pytest.mark.anyio

HELPER, ADMIN = UserId(43), UserId(900)
MAIN, ALICE, MOVED = ChatId(-1001), ChatId(-1002), ChatId(-1009)
GROUPS = {MAIN: "MAIN_GROUP_ID", ALICE: "TECH_GROUPS_MAPPING, alice"}

MEMBER = ChatMemberMember.model_construct()


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return virtual_time


@dataclass
class Telegram:
    """What a helper is told, and what the main bot says to the administrators."""

    members: dict[ChatId, Any] = field(default_factory=lambda: dict.fromkeys(GROUPS, MEMBER))
    open: bool = True
    """Whether plain members may write."""
    error: Exception | None = None
    said: list[str] = field(default_factory=list)
    deaf: Exception | None = None

    async def helper(self, method: TelegramMethod[Any]) -> Any:
        await checkpoint()
        if self.error is not None:
            raise self.error
        match method:
            case GetMe():
                return User(id=HELPER, is_bot=True, first_name="h", username="helper_bot")
            case GetChat():
                allowed = ChatPermissions(can_send_messages=self.open)
                return ChatFullInfo.model_construct(permissions=allowed)
            case GetChatMember(chat_id=chat_id):
                assert isinstance(chat_id, int)
                return self.members[ChatId(chat_id)]
        raise AssertionError(method)

    async def main(self, method: TelegramMethod[Any]) -> None:
        await checkpoint()
        assert isinstance(method, SendMessage)
        assert method.chat_id == ADMIN
        if self.deaf is not None:
            raise self.deaf
        self.said.append(method.text)


@dataclass
class Bench:
    telegram: Telegram = field(default_factory=Telegram)

    def __post_init__(self) -> None:
        def sender(bot_id: UserId, call: Any) -> Sender:
            pace = Pace(PaceOptions(), anyio.current_time)
            return Sender(bot_id=bot_id, call=call, pace=pace)

        self.crew = Crew(
            sender(MAIN_BOT, self.telegram.main),
            [sender(HELPER, self.telegram.helper)],
            anyio.current_time,
        )
        self.watch = HelperWatch(
            crew=self.crew,
            groups=GROUPS,
            admin_ids=[ADMIN],
            texts=Texts("en"),
            tell=self.telegram.main,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            await group.start(self.watch.run)
            group.start_soon(self.watch.tell)
            yield
            group.cancel_scope.cancel()

    async def after_a_look(self) -> None:
        await anyio.sleep(HelperOptions().every_s + 1)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("member", "is_open", "trouble"),
    [
        (MEMBER, True, None),
        (MEMBER, False, Trouble.MUTED),
        (ChatMemberAdministrator.model_construct(), False, None),
        (ChatMemberLeft.model_construct(), True, Trouble.AWAY),
        (ChatMemberBanned.model_construct(), True, Trouble.AWAY),
        (ChatMemberRestricted.model_construct(is_member=False), True, Trouble.AWAY),
        (
            ChatMemberRestricted.model_construct(is_member=True, can_send_messages=False),
            True,
            Trouble.MUTED,
        ),
        (
            ChatMemberRestricted.model_construct(is_member=True, can_send_messages=True),
            True,
            None,
        ),
    ],
)
async def test_a_helper_must_be_able_to_write_in_the_group(
    bench: Bench, member: Any, is_open: bool, trouble: Trouble | None
) -> None:
    bench.telegram.members[ALICE], bench.telegram.open = member, is_open
    await bench.watch.examine()
    assert bench.crew.troubles().get((HELPER, ALICE)) == trouble
    assert bench.crew.able(HELPER, ALICE) == (HELPER if trouble is None else None)


async def test_each_trouble_is_told_once_and_so_is_its_end(bench: Bench) -> None:
    bench.telegram.members[ALICE] = ChatMemberLeft.model_construct()
    async with bench.running():
        for _ in range(3):
            await bench.after_a_look()
        assert len(bench.telegram.said) == 1
        assert (
            "@helper_bot is not in the group -1002 (TECH_GROUPS_MAPPING, alice)"
            in (bench.telegram.said[0])
        )
        bench.telegram.members[ALICE] = MEMBER
        for _ in range(3):
            await bench.after_a_look()
    assert len(bench.telegram.said) == 2
    assert "writes in the group -1002" in bench.telegram.said[1]


async def test_a_token_that_is_not_known_is_one_trouble_for_all_groups(bench: Bench) -> None:
    bench.telegram.error = TelegramUnauthorizedError(METHOD, "Unauthorized")
    async with bench.running():
        await until(lambda: len(bench.telegram.said) == 1)
        assert "token of the helper bot 43" in bench.telegram.said[0]
        assert bench.crew.able(HELPER, MAIN) is None
        bench.telegram.error = None
        await bench.after_a_look()
        assert bench.crew.able(HELPER, MAIN) == HELPER
    assert "is valid again" in bench.telegram.said[1]


async def test_a_network_that_is_away_says_nothing_about_a_helper(bench: Bench) -> None:
    bench.telegram.error = TelegramNetworkError(METHOD, "no route")
    async with bench.running():
        await bench.after_a_look()
        assert bench.crew.able(HELPER, MAIN) == HELPER
    assert bench.telegram.said == []


async def test_what_cannot_be_told_now_is_told_later(bench: Bench) -> None:
    bench.telegram.deaf = TelegramNetworkError(METHOD, "no route")
    bench.telegram.members[ALICE] = ChatMemberLeft.model_construct()
    async with bench.running():
        await bench.after_a_look()
        assert bench.telegram.said == []
        bench.telegram.deaf = None
        await bench.after_a_look()
    assert len(bench.telegram.said) == 1


async def test_an_administrator_who_never_started_the_bot_holds_up_nobody(bench: Bench) -> None:
    bench.telegram.deaf = TelegramForbiddenError(METHOD, "bot can't initiate conversation")
    bench.telegram.members[ALICE] = ChatMemberLeft.model_construct()
    async with bench.running():
        await bench.after_a_look()
        bench.telegram.deaf = None
        bench.telegram.members[ALICE] = MEMBER
        await bench.after_a_look()
    assert len(bench.telegram.said) == 1
    assert "writes in the group" in bench.telegram.said[0]


async def test_a_group_that_a_call_failed_in_is_looked_at_too(bench: Bench) -> None:
    """It may have moved since the settings were written."""
    bench.telegram.members[MOVED] = MEMBER
    bench.crew.note(HELPER, MOVED, Trouble.AWAY)
    async with bench.running():
        await bench.after_a_look()
        assert bench.crew.able(HELPER, MOVED) == HELPER


async def test_a_look_that_is_asked_for_does_not_wait(bench: Bench) -> None:
    async with bench.running():
        bench.telegram.members[MAIN] = ChatMemberLeft.model_construct()
        bench.watch.look()
        begun = anyio.current_time()
        await until(lambda: bool(bench.telegram.said))
        assert anyio.current_time() - begun < 1
