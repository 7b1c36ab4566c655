"""The doctor, against a local Telegram and real servers: all well, and each thing that can fail."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap.doctor import examine
from bootstrap.findings import Finding, Verdict, in_time
from lab.telegram.faults import FaultRule
from lab.telegram.server import LocalTelegram
from lab.telegram.webhook import WebhookTarget
from storage import migrate
from storage.embedded import embedded_postgres, embedded_valkey

pytestmark = pytest.mark.anyio

TOKEN = "42:" + "hush" * 8
SECRET = "s3cret-s3cret-s3cret"
MAIN = -1001000000001
ALICE = -1001000000002


@dataclass
class Desk:
    """A whole installation as it should be; tests break one thing of it."""

    telegram: LocalTelegram
    environ: dict[str, str]

    async def examined(self, **changes: str | None) -> dict[str, Finding]:
        """The findings by name; nothing secret may be in any of them."""
        environ = {**self.environ, **changes}
        found: list[Finding] = []
        known = {name: text for name, text in environ.items() if text is not None}
        await examine(known, None, found.append)
        shown = "\n".join(map(str, found))
        for secret in (TOKEN, "hush", SECRET, "p4ss"):
            assert secret not in shown
        assert "\n" not in "".join(map(str, found))
        return {finding.name: finding for finding in found}

    async def failing(self, **changes: str | None) -> dict[str, str]:
        """What fails: the whole lines by name."""
        found = await self.examined(**changes)
        return {name: str(one) for name, one in found.items() if one.verdict is Verdict.FAIL}

    def set_rights(self, chat_id: int, status: str, *rights: str) -> None:
        world = self.telegram.world
        world.set_member(world.groups[chat_id], world.user(42), status, frozenset(rights))


@pytest.fixture
async def desk(postgres_dsn: str, valkey_url: str) -> AsyncIterator[Desk]:
    async with LocalTelegram.serve() as telegram:
        bot = telegram.world.add_bot(token=TOKEN, username="desk_bot")
        for chat_id, title, role in ((MAIN, "Support", "main"), (ALICE, "Alice", "tech")):
            telegram.world.add_group(title, chat_id=chat_id, role=role, admins=[bot.id])
        yield Desk(
            telegram=telegram,
            environ={
                "TELEGRAM_API_URL": telegram.url,
                "BOT_TOKEN": TOKEN,
                "MAIN_GROUP_ID": str(MAIN),
                "TECH_GROUPS_MAPPING": json.dumps({"alice": ALICE}),
                "POSTGRES_DSN": postgres_dsn,
                "REDIS_URL": valkey_url,
            },
        )


async def test_an_installation_as_it_should_be_has_only_good_lines(desk: Desk) -> None:
    found = await desk.examined()
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert list(found) == [
        *("settings", "postgres", "schema", "redis", "bot", "privacy", "main group"),
        *("group alice", "webhook", "sheets"),
    ]
    assert found["bot"].detail.startswith("@desk_bot at 127.0.0.1")
    assert "Support" in found["main group"].detail
    assert found["webhook"].detail.startswith("not set, long polling; ")


async def test_wrong_settings_do_not_hide_the_state_of_the_storage(desk: Desk) -> None:
    found = await desk.examined(MAIN_GROUP_ID=None, MAIN_GRUOP_ID=str(MAIN))
    assert list(found) == ["settings", "postgres", "schema", "redis"]
    failing = await desk.failing(MAIN_GROUP_ID="12")
    assert "MAIN_GROUP_ID: must be a group's id" in failing["settings"]


async def test_a_name_that_looks_like_ours_is_only_a_note(desk: Desk) -> None:
    found = await desk.examined(MAIN_GRUOP_ID=str(MAIN))
    assert found["settings"].verdict is Verdict.NOTE
    assert "did you mean MAIN_GROUP_ID?" in str(found["settings"])


async def test_a_postgres_that_is_away_fails_with_its_schema(desk: Desk) -> None:
    failing = await desk.failing(POSTGRES_DSN="postgresql://u:p4ss@127.0.0.1:1/d")
    assert list(failing) == ["postgres", "schema"]
    assert "POSTGRES_DSN does not answer" in failing["postgres"]


async def test_an_old_schema_is_to_be_migrated(desk: Desk, engine: AsyncEngine) -> None:
    await migrate.downgrade(engine, "base")
    failing = await desk.failing()
    assert list(failing) == ["schema"]
    assert "is at nothing, needed is" in failing["schema"]
    assert "topicdesk migrate" in failing["schema"]


async def test_a_redis_that_is_away_fails(desk: Desk) -> None:
    failing = await desk.failing(REDIS_URL="redis://:p4ss@127.0.0.1:1/0")
    assert list(failing) == ["redis"]
    assert "REDIS_URL does not answer (ConnectionError)" in failing["redis"]


async def test_the_embedded_servers_are_examined_too(desk: Desk, tmp_path: Path) -> None:
    data = {"POSTGRES_DSN": None, "REDIS_URL": None, "DATA_DIR": str(tmp_path / "data")}
    found = await desk.examined(**data)
    assert found["postgres"].detail.startswith("embedded, PostgreSQL ")
    assert found["redis"].detail.startswith("embedded, Valkey ")


async def test_embedded_servers_of_a_running_program_are_no_failure(
    desk: Desk, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with embedded_postgres(data), embedded_valkey(data):
        found = await desk.examined(POSTGRES_DSN=None, REDIS_URL=None, DATA_DIR=str(data))
    for name in ("postgres", "redis"):
        assert found[name].verdict is Verdict.OK
        assert "in use by the running topicdesk (process " in found[name].detail


async def test_a_refused_token_is_to_be_copied_anew(desk: Desk) -> None:
    found = await desk.examined(BOT_TOKEN="43:" + "hush" * 8)
    assert "does not know the token: copy BOT_TOKEN anew" in str(found["bot"])
    assert "main group" not in found


async def test_a_telegram_out_of_reach_is_named(desk: Desk) -> None:
    failing = await desk.failing(TELEGRAM_API_URL="http://127.0.0.1:1")
    assert list(failing) == ["bot"]
    assert "127.0.0.1:1 does not answer" in failing["bot"]


async def test_a_proxy_that_answers_with_a_page_is_no_telegram(desk: Desk) -> None:
    desk.telegram.world.faults.add(FaultRule(kind="bad_gateway", method="getMe"))
    assert "does not answer (ClientDecodeError)" in (await desk.failing())["bot"]


async def test_a_group_without_topics_is_no_forum(desk: Desk) -> None:
    desk.telegram.world.groups[MAIN].is_forum = False
    failing = await desk.failing()
    assert "has no topics: turn on Topics" in failing["main group"]
    assert "group alice" not in failing


async def test_an_admin_without_the_right_to_topics_fails(desk: Desk) -> None:
    desk.set_rights(ALICE, "administrator", "can_delete_messages")
    failing = await desk.failing()
    assert "a right is missing: allow the bot to manage topics" in failing["group alice"]


async def test_a_mere_member_fails_and_does_not_read_its_group(desk: Desk) -> None:
    desk.set_rights(MAIN, "member")
    failing = await desk.failing()
    assert "the bot is no admin: make the bot an admin" in failing["main group"]
    assert "on, so the bot does not see" in failing["privacy"]


async def test_a_bot_that_is_not_in_the_group_is_to_be_added(desk: Desk) -> None:
    desk.set_rights(MAIN, "left")
    assert "add @desk_bot to the group" in (await desk.failing())["main group"]
    unknown = await desk.failing(MAIN_GROUP_ID="-1009999999999")
    assert "chat not found: add @desk_bot" in unknown["main group"]


async def test_each_of_several_main_groups_is_examined(desk: Desk) -> None:
    found = await desk.examined(MAIN_GROUP_ID=f"[{MAIN}, -1009999999999]")
    assert "is a forum, the bot manages its topics" in found["main group 1"].detail
    assert "chat not found" in found["main group 2"].detail
    assert "main group" not in found


async def test_without_privacy_a_mere_member_reads_its_groups(desk: Desk) -> None:
    desk.telegram.world.bots[42].privacy = False
    desk.set_rights(MAIN, "member")
    found = await desk.examined()
    assert found["privacy"].detail == "off, the bot reads its groups"


def hook(desk: Desk, url: str) -> None:
    target = WebhookTarget(url=url, secret=SECRET, max_connections=1)
    desk.telegram.webhooks.set_webhook(desk.telegram.world.bots[42], target)


async def test_a_webhook_that_nobody_asked_for_means_another_program(desk: Desk) -> None:
    hook(desk, f"http://127.0.0.1:9/webhook/{SECRET}")
    failing = await desk.failing()
    assert "set to 127.0.0.1:9, but WEBHOOK_URL is empty" in failing["webhook"]


WEBHOOK = {"WEBHOOK_URL": "http://127.0.0.1:9", "WEBHOOK_SECRET": SECRET}


async def test_a_webhook_that_is_not_set_yet_is_set_by_run(desk: Desk) -> None:
    found = await desk.examined(**WEBHOOK)
    assert found["webhook"].verdict is Verdict.OK
    assert "not set yet, `topicdesk run` does it" in found["webhook"].detail


async def test_a_webhook_elsewhere_fails_without_showing_its_path(desk: Desk) -> None:
    hook(desk, "http://127.0.0.2:9/webhook/p4ss")
    assert "set to another host, 127.0.0.2:9" in (await desk.failing(**WEBHOOK))["webhook"]
    hook(desk, "http://127.0.0.1:9/webhook/p4ss")
    assert "another path or secret at 127" in (await desk.failing(**WEBHOOK))["webhook"]


async def test_a_webhook_that_works_is_fine_and_one_that_fails_says_why(
    desk: Desk, eventually: "Eventually"
) -> None:
    hook(desk, f"http://127.0.0.1:9/webhook/{SECRET}")
    desk.telegram.world.bots[42].feed.drop_pending()
    found = await desk.examined(**WEBHOOK)
    assert found["webhook"].detail.startswith("set to 127.0.0.1:9")
    client = desk.telegram.world.add_user("Ann", is_client=True)
    chat = desk.telegram.world.private_chat(client.id)
    desk.telegram.world.post(chat, client, "text", {"text": "hello"})

    async def told() -> bool:
        return "Telegram says:" in (await desk.failing(**WEBHOOK)).get("webhook", "")

    await eventually(told)


async def test_a_sheet_with_a_key_that_is_none_fails(desk: Desk) -> None:
    account = {
        "client_email": "desk@example.iam",
        "private_key": "p4ss",
        "token_uri": "http://127.0.0.1:1",
    }
    failing = await desk.failing(SHEETS_CREDS=json.dumps(account), SHEETS_ID="1AbCdEfGhIjKlMnOpQrS")
    assert list(failing) == ["sheets"]
    assert "check SHEETS_CREDS" in failing["sheets"]


async def test_a_check_that_hangs_is_given_up() -> None:
    async def hang() -> Finding:
        await anyio.sleep_forever()
        raise AssertionError

    finding = await in_time("thing", hang(), timeout_s=0.01)
    assert finding.verdict is Verdict.FAIL


type Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def eventually() -> Eventually:
    async def wait(holds: Callable[[], Awaitable[bool]]) -> None:
        with anyio.fail_after(20):
            while not await holds():  # noqa: ASYNC110 - Telegram tells nobody
                await anyio.sleep(0.05)

    return wait
