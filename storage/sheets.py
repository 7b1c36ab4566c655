"""Clients' cards from a Google Sheet, kept in memory: Google is never asked while anybody waits."""

import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio
import structlog
from anyio.abc import TaskStatus

from actors.messages import Person
from actors.ports import ClientCard
from storage.sheets_account import account_text
from storage.sheets_table import SheetUnread, Table, TableBounds, parse

if TYPE_CHECKING:
    from storage.sheets_google import SheetReader

log = structlog.get_logger(__name__)

EXTRA_MISSING: Final = 'gspread is not installed: install topicdesk with its extra "sheets"'


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetsOptions:
    """``creds``: a service account's JSON, or the path of its file; never shown."""

    creds: str = field(repr=False)
    sheet_id: str

    interval_s: float = 60.0
    """How old a card may be."""

    pause_min_s: float = 1.0
    """Google allows 60 reads a minute to an account; it is never asked more often than that."""

    timeout_s: float = 10.0
    """Google answers within a second or two; a worksheet of 100,000 rows takes longer."""

    read_max_s: float = 60.0
    """For a whole answer, however slowly it drips in."""

    body_bytes_max: int = 32 * 2**20
    """Reading JSON holds the interpreter: some 0.1 s for this much, when the sheet has changed."""

    backoff_first_s: float = 5.0
    """After a failure, doubled with each further one: most are over within seconds."""

    backoff_max_s: float = 600.0
    """A sheet that is shared again is seen ten minutes later at the latest."""

    table: TableBounds = field(default_factory=TableBounds)

    base_url: str | None = None
    """Where the Sheets API is, for tests; ``None``: at Google."""


class TelegramDirectory:
    """No directory: the card shows what Telegram knows."""

    async def card(self, client: Person) -> ClientCard | None:
        del client
        return None


class SheetsDirectory:
    """The first worksheet, read once per interval in the background by one thread at a time."""

    def __init__(
        self, options: SheetsOptions, clock: Callable[[], float] = anyio.current_time
    ) -> None:
        """Reads the account, and makes no call.

        Raises:
            ModuleNotFoundError: The extra ``sheets`` is not installed.
            ValueError: ``creds`` is no service account; the text holds nothing of it.
        """
        if importlib.util.find_spec("gspread") is None:
            raise ModuleNotFoundError(EXTRA_MISSING)
        try:
            self._account = json.loads(account_text(options.creds))
        except ValueError as error:
            raise ValueError(f"SHEETS_CREDS {error}") from None
        self._options = options
        self._clock = clock
        self._limiter = anyio.CapacityLimiter(1)
        self._reader: SheetReader | None = None
        self._digest = b""
        self._table = Table()
        self._synced_at: float | None = None
        self.trouble: str | None = None
        """Why the last read failed; ``None`` while all is well."""

    @property
    def age_s(self) -> float | None:
        """How long ago the sheet was last read; ``None``: not yet."""
        return None if self._synced_at is None else self._clock() - self._synced_at

    async def card(self, client: Person) -> ClientCard | None:
        """From memory: ``None`` for who is not in the sheet, and before the first read."""
        return self._table.card(client)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Reads the sheet again and again until cancelled; ready at once, before the first read.

        A cancel leaves at most one read, in its thread, to its own time-out.
        """
        task_status.started()
        failures = 0
        while True:
            asked_s = await self._sync()
            failures = 0 if asked_s is None else failures + 1
            await anyio.sleep(self._pause_s(failures, asked_s or 0.0))

    def _pause_s(self, failures: int, asked_s: float) -> float:
        options = self._options
        if failures == 0:
            return max(options.interval_s, options.pause_min_s)
        # The exponent is bounded: a sheet may be away for months.
        own_s = options.backoff_first_s * 2.0 ** min(failures - 1, 32)
        return max(min(max(own_s, asked_s), options.backoff_max_s), options.pause_min_s)

    async def _sync(self) -> float | None:
        """One read. Returns ``None``, or after a failure how long Google wants to be left alone.

        What was read before stays when anything goes wrong.
        """
        try:
            table = await anyio.to_thread.run_sync(
                self._read, abandon_on_cancel=True, limiter=self._limiter
            )
        except SheetUnread as error:
            self._note(error.reason)
            return error.retry_after_s
        except Exception as error:  # noqa: BLE001 - libraries' own mistakes must not end the sync
            self._note(f"unforeseen ({type(error).__name__})")
            return 0.0
        if table is not None:
            if table.is_cut and not self._table.is_cut:
                log.warning("sheet_cut", rows_max=self._options.table.rows_max)
            self._table = table
        self._synced_at = self._clock()
        self._note(None)
        return None

    def _read(self) -> Table | None:
        """In a thread: reads and parses; ``None`` when the sheet is as it was."""
        if self._reader is None:
            self._reader = self._connect()
        bounds = self._options.table
        # One row for the headers, one to see that there are more than are looked at.
        body = self._reader.read(bounds.rows_max + 2, bounds.columns_max)
        digest = hashlib.sha256(body).digest()
        if digest == self._digest:
            return None
        table = parse(body, bounds)
        self._digest = digest
        return table

    def _connect(self) -> "SheetReader":
        # Imported here, in the thread: the extra may be absent, and takes long to import.
        from storage.sheets_google import ReadBounds, SheetReader  # noqa: PLC0415

        options = self._options
        bounds = ReadBounds(
            timeout_s=options.timeout_s,
            read_max_s=options.read_max_s,
            body_bytes_max=options.body_bytes_max,
        )
        return SheetReader(self._account, options.sheet_id, bounds, options.base_url)

    def _note(self, trouble: str | None) -> None:
        """Logs a change of state, once."""
        if trouble == self.trouble:
            return
        if trouble is None:
            log.info("sheet_back", clients=len(self._table.by_id) + len(self._table.by_username))
        else:
            log.warning("sheet_away", reason=trouble, age_s=self.age_s)
        self.trouble = trouble
