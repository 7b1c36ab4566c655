"""Clients' cards from a Google Sheet: real gspread, real HTTP, Google itself on loopback."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from actors.ids import UserId
from actors.messages import Person
from storage.sheets import SheetsDirectory, SheetsOptions, TelegramDirectory
from storage.sheets_table import SheetUnread, TableBounds, parse
from tests.fakes.google import SHEET_ID, FakeGoogle

pytestmark = pytest.mark.anyio

ROWS = [
    ["Telegram ID", "Имя", "Username", "Договор", "Заметка"],
    ["101", "Анна", "@Anna_K", "A-17", "VIP"],
    ["", "Борис", "https://t.me/Boris_77", "B-2"],
    ["1 000 303", "", "", "C-3"],
]
ANNA = (("Имя", "Анна"), ("Договор", "A-17"), ("Заметка", "VIP"))


@pytest.fixture
async def google(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeGoogle]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with FakeGoogle.serve() as google:
        google.rows = [list(row) for row in ROWS]
        yield google


def options(google: FakeGoogle, timeout_s: float = 5) -> SheetsOptions:
    return SheetsOptions(
        creds=json.dumps(google.account()),
        sheet_id=SHEET_ID,
        interval_s=0.02,
        pause_min_s=0.01,
        timeout_s=timeout_s,
        backoff_first_s=0.02,
        backoff_max_s=0.05,
        base_url=google.url,
    )


@asynccontextmanager
async def running(chosen: SheetsOptions) -> AsyncIterator[SheetsDirectory]:
    directory = SheetsDirectory(chosen)
    async with anyio.create_task_group() as group:
        await group.start(lambda *, task_status: directory.run(task_status=task_status))
        yield directory
        group.cancel_scope.cancel()


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not holds():  # noqa: ASYNC110 - the sync tells nobody
            await anyio.sleep(0.005)


async def fields(
    directory: SheetsDirectory, client_id: int, username: str | None = None
) -> tuple[tuple[str, str], ...] | None:
    card = await directory.card(Person(id=UserId(client_id), name="x", username=username))
    return None if card is None else card.fields


async def test_a_client_is_found_by_id_then_by_username_else_not_at_all(google: FakeGoogle) -> None:
    async with running(options(google)) as directory:
        await until(lambda: directory.age_s is not None)
        assert await fields(directory, 101) == ANNA
        assert await fields(directory, 1000303) == (("Договор", "C-3"),)
        assert await fields(directory, 5, "bORIS_77") == (("Имя", "Борис"), ("Договор", "B-2"))
        assert await fields(directory, 5, "nobody") is None
        assert await fields(directory, 5) is None


async def test_a_username_never_opens_the_card_of_a_row_that_names_another_id(
    google: FakeGoogle,
) -> None:
    async with running(options(google)) as directory:
        await until(lambda: directory.age_s is not None)
        assert await fields(directory, 999, "anna_k") is None


async def test_a_sync_is_one_read_and_the_token_is_kept(google: FakeGoogle) -> None:
    """Nothing but the values is asked for: no metadata, no drive."""
    async with running(options(google)):
        await until(lambda: google.reads >= 4)
    assert set(google.ranges) == {"A1:CV100002"}
    assert google.others == []
    assert google.tokens == 1


async def test_the_interval_is_kept_and_never_beyond_the_quota(google: FakeGoogle) -> None:
    hour = replace(options(google), interval_s=3600)
    async with running(hour) as directory:
        await until(lambda: directory.age_s is not None)
        await anyio.wait_all_tasks_blocked()
        assert google.reads == 1
    assert SheetsDirectory(SheetsOptions(creds=hour.creds, sheet_id=SHEET_ID))._pause_s(0, 0) == 60
    eager = SheetsDirectory(SheetsOptions(creds=hour.creds, sheet_id=SHEET_ID, interval_s=0))
    assert eager._pause_s(0, 0) == 1.0


async def test_failures_back_off_doubling_and_as_long_as_google_asks() -> None:
    account = {"client_email": "a@b", "private_key": "x", "token_uri": "http://127.0.0.1:1"}
    directory = SheetsDirectory(SheetsOptions(creds=json.dumps(account), sheet_id=SHEET_ID))
    assert [directory._pause_s(n, 0) for n in (1, 2, 3, 8, 5000)] == [5, 10, 20, 600, 600]
    assert directory._pause_s(1, 90) == 90
    assert directory._pause_s(1, 1e9) == 600


async def test_a_changed_sheet_is_seen_after_the_next_sync(google: FakeGoogle) -> None:
    async with running(options(google)) as directory:
        await until(lambda: directory.age_s is not None)
        google.rows[1][3] = "A-18"
        del google.rows[3]
        seen = google.reads
        await until(lambda: google.reads >= seen + 2)
        assert await fields(directory, 101) == (("Имя", "Анна"), ("Договор", "A-18"), ANNA[2])
        assert await fields(directory, 1000303) is None


@pytest.mark.parametrize("status", [429, 500, 503, 403, 404, 302])
async def test_an_error_keeps_the_cards_is_logged_once_and_passes(
    google: FakeGoogle, status: int
) -> None:
    with capture_logs() as logs:
        async with running(options(google)) as directory:
            await until(lambda: directory.age_s is not None)
            google.status = status
            begun = google.reads
            await until(lambda: google.reads >= begun + 4)
            assert directory.trouble == f"HTTP {status}"
            assert await fields(directory, 101) == ANNA
            google.rows[1][3] = "new"
            google.status = 200
            await until(lambda: directory.trouble is None)
            assert ("Договор", "new") in (await fields(directory, 101) or ())
    assert [line["event"] for line in logs] == ["sheet_away", "sheet_back"]
    assert "hush" not in str(logs)


async def test_retry_after_is_heard(google: FakeGoogle) -> None:
    google.status, google.headers = 429, {"Retry-After": "3000"}
    assert await SheetsDirectory(options(google))._sync() == 3000


async def test_a_slow_answer_never_delays_a_card(google: FakeGoogle) -> None:
    async with running(options(google, timeout_s=60)) as directory:
        await until(lambda: directory.age_s is not None)
        google.gate = anyio.Event()
        seen = google.reads
        await until(lambda: google.reads > seen)
        with anyio.fail_after(10):
            assert await fields(directory, 101) == ANNA
        google.gate.set()


async def test_start_waits_for_nothing_and_there_is_no_card_before_the_first_read(
    google: FakeGoogle,
) -> None:
    google.gate = anyio.Event()
    with anyio.fail_after(10):
        async with running(options(google, timeout_s=60)) as directory:
            assert directory.age_s is None
            assert await fields(directory, 101) is None
            google.gate.set()


async def test_a_silent_google_times_out_and_one_read_is_under_way_at_a_time(
    google: FakeGoogle,
) -> None:
    google.gate = anyio.Event()
    async with running(replace(options(google), timeout_s=0.1)) as directory:
        await until(lambda: directory.trouble == "time-out")
        google.gate.set()
        await until(lambda: directory.trouble is None)
        assert await fields(directory, 101) == ANNA


async def test_an_answer_that_drips_without_end_is_given_up(google: FakeGoogle) -> None:
    """Each wait for the socket is short; it is the whole that takes too long."""
    async with running(replace(options(google), read_max_s=0.2)) as directory:
        await until(lambda: directory.age_s is not None)
        google.drips = True
        await until(lambda: directory.trouble == "time-out")
        google.drips = False
        await until(lambda: directory.trouble is None)


@pytest.mark.parametrize(
    ("raw", "trouble"),
    [
        (b"<html>captive portal</html>", "the answer is not JSON"),
        (b"[]", "the answer is not a range of cells"),
        (b'{"values": {"a": 1}}', "the answer is not a range of cells"),
        (b'{"range": "A1"}', "the first worksheet is empty"),
        (b'{"values": [["Name", "Phone"], ["a", "b"]]}', "no column is called"),
        (b"x" * 5000, "larger than 4096 bytes"),
    ],
)
async def test_garbage_keeps_the_cards(google: FakeGoogle, raw: bytes, trouble: str) -> None:
    async with running(replace(options(google), body_bytes_max=4096)) as directory:
        await until(lambda: directory.age_s is not None)
        google.raw = raw
        await until(lambda: (directory.trouble or "").startswith(trouble))
        assert await fields(directory, 101) == ANNA
        google.raw = None
        await until(lambda: directory.trouble is None)


async def test_a_refused_account_and_a_broken_key_are_told_without_secrets(
    google: FakeGoogle,
) -> None:
    google.token_status = 400
    with capture_logs() as logs:
        async with running(options(google)) as directory:
            await until(lambda: directory.trouble == "Google refused the service account")
            google.token_status = 200
            await until(lambda: directory.trouble is None)
        creds = json.dumps({**google.account(), "private_key": "hush-hush"})
        async with running(replace(options(google), creds=creds)) as directory:
            await until(lambda: "private key" in (directory.trouble or ""))
    assert "hush" not in str(logs)
    assert "PRIVATE" not in str(logs)


async def test_no_google_at_all_is_a_trouble_not_a_crash(google: FakeGoogle) -> None:
    nowhere = replace(options(google), base_url="http://127.0.0.1:1")
    async with running(nowhere) as directory:
        await until(lambda: (directory.trouble or "").startswith("no connection"))


async def test_the_account_may_be_a_file_and_mistakes_hold_no_secret(
    google: FakeGoogle, tmp_path: Path
) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(google.account()))
    async with running(replace(options(google), creds=str(file))) as directory:
        await until(lambda: directory.age_s is not None)
        assert await fields(directory, 101) == ANNA
    for wrong in ("{hush", '{"private_key": "hush"}', str(tmp_path / "none")):
        with pytest.raises(ValueError, match=r"^SHEETS_CREDS is ") as caught:
            SheetsDirectory(SheetsOptions(creds=wrong, sheet_id=SHEET_ID))
        assert "hush" not in str(caught.value)
    assert "PRIVATE" not in repr(options(google))


async def test_without_the_extra_the_error_names_it(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match='extra "sheets"'):
        SheetsDirectory(options(google))


async def test_without_a_sheet_there_is_no_card() -> None:
    assert await TelegramDirectory().card(Person(id=UserId(1), name="x")) is None


def card_of(rows: list[Any], client: Person, **bounds: int) -> tuple[tuple[str, str], ...] | None:
    card = parse(json.dumps({"values": rows}).encode(), TableBounds(**bounds)).card(client)
    return None if card is None else card.fields


CLIENT = Person(id=UserId(7), name="x", username="Seven")


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        *(("Telegram ID", cell) for cell in ("7", " 7 ", "7.00", 7)),
        *((header, "7") for header in ("Телеграм ID", "telegram_id", "tg_id", "TG-ID", "Telegram")),
        *(("Username", cell) for cell in ("@seven", "SEVEN", "t.me/seven", "\u200b@Seven")),
        *((header, "@Seven") for header in ("Юзернейм", "Ник", "user_name", "Telegram")),
    ],
)
def test_columns_that_identify_are_known_in_both_languages(header: str, cell: object) -> None:
    assert card_of([[header, "Имя"], [cell, "ok"]], CLIENT) == (("Имя", "ok"),)


@pytest.mark.parametrize("cell", ["", "0", "-7", "7e0", "7.5", "٧", "=7", "7" * 400, None, {}])
def test_what_is_no_id_matches_nobody(cell: object) -> None:
    assert card_of([["tg_id", "Имя"], [cell, "ok"]], CLIENT) is None


def test_hostile_cells_become_short_lines_of_plain_text() -> None:
    rows = [
        ["tg_id", "A", "A", "", "B\n\u202eC", "F", "Empty", "L" * 1000],
        "no row",
        None,
        ["7", "one\r\ntwo\x00\u202e", "x" * 50_000, "unlabelled", True, "=SUM(A1)", " \t", ["?"]],
        ["7", "the second row of a client"],
    ]
    found = card_of(rows, CLIENT, cell_length_max=20)
    assert found == (
        ("A", "one two"),
        ("A (2)", "x" * 19 + "…"),
        ("B C", "True"),
        ("F", "=SUM(A1)"),
    )


def test_a_row_with_nothing_to_show_is_no_card() -> None:
    assert card_of([["tg_id", "A"], ["7", " "]], CLIENT) is None


def test_headers_may_stand_below_empty_rows() -> None:
    assert card_of([[], ["", ""], ["A", "tg_id"], ["a", "7"]], CLIENT) == (("A", "a"),)


def test_rows_columns_and_lines_beyond_the_bounds_are_left_out() -> None:
    rows = [["tg_id", "A", "B", "C"], ["1", "a"], ["7", "a", "b", "c"]]
    assert card_of(rows, CLIENT, rows_max=1) is None
    assert card_of(rows, CLIENT, columns_max=3) == (("A", "a"), ("B", "b"))
    assert card_of(rows, CLIENT, fields_max=1) == (("A", "a"),)
    assert parse(json.dumps({"values": rows}).encode(), TableBounds(rows_max=1)).is_cut


def test_a_huge_sheet_is_cut_and_said() -> None:
    rows = [["tg_id", "A"], *([str(n), "a"] for n in range(1, 100_003))]
    table = parse(json.dumps({"values": rows}).encode(), TableBounds())
    assert len(table.by_id) == 100_000
    assert table.is_cut


def test_a_sheet_that_cannot_be_is_refused() -> None:
    with pytest.raises(SheetUnread):
        parse(b'{"values": [["\xff"]]}', TableBounds())
