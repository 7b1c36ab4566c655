"""Looks at the Google Sheet with the clients' cards, with one read of its title."""

import importlib
import importlib.util
import json
from typing import Any, Final

import anyio

from bootstrap.findings import Finding
from bootstrap.settings import Settings

REQUEST_TIMEOUT_S: Final = 10.0


async def sheets(settings: Settings) -> Finding:
    """Runs the synchronous library in a thread; a cancel leaves the thread to its own time-out."""
    if settings.sheets_id is None or settings.sheets_creds is None:
        return Finding(name="sheets", detail="not set: cards show what Telegram knows")
    if importlib.util.find_spec("gspread") is None:
        return Finding(
            name="sheets",
            detail="gspread is not installed",
            advice='install topicdesk with its extra "sheets", or take SHEETS_ID away',
        )
    account = json.loads(settings.sheets_creds.get_secret_value())
    return await anyio.to_thread.run_sync(
        _look, account, settings.sheets_id, abandon_on_cancel=True
    )


def _look(account: dict[str, Any], sheet_id: str) -> Finding:
    gspread = importlib.import_module("gspread")
    try:
        client = gspread.service_account_from_dict(account)
        client.set_timeout(REQUEST_TIMEOUT_S)
        title = client.open_by_key(sheet_id).title
    except (PermissionError, gspread.exceptions.SpreadsheetNotFound):
        return Finding(
            name="sheets",
            detail="the sheet is not there for this account",
            advice=f"check SHEETS_ID, and share the sheet with {account['client_email']}",
        )
    except Exception as error:  # noqa: BLE001 - keys, tokens, network, quota: many families
        return Finding(
            name="sheets",
            detail=f"cannot be read ({type(error).__name__})",
            advice="check SHEETS_CREDS, that the Sheets API is enabled, and the network",
        )
    return Finding(name="sheets", detail=f"“{title}”")
