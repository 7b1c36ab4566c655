"""The one call to Google, through gspread. Needs the extra ``sheets``; blocks: for a thread."""

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final, override

import google.auth.exceptions
import gspread
import requests
import urllib3
from gspread.http_client import FileType, ParamsType
from gspread.urls import SPREADSHEET_VALUES_URL

from storage.sheets_table import SheetUnread

SCOPES: Final = ("https://www.googleapis.com/auth/spreadsheets.readonly",)
"""No more than is needed: nothing is ever written, and no other file is seen."""

GOOGLE: Final = "https://sheets.googleapis.com"

_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBounds:
    """``timeout_s``: one wait for the socket; ``read_max_s``: a whole answer, however it drips."""

    timeout_s: float
    read_max_s: float
    body_bytes_max: int


class BoundedClient(gspread.HTTPClient):
    """gspread's client with its unbounded places bounded, and an address that tests may change."""

    base_url = GOOGLE
    bounds: ReadBounds

    @override
    def request(
        self,
        method: str,
        endpoint: str,
        params: ParamsType | None = None,
        data: bytes | None = None,
        json: Mapping[str, Any] | None = None,
        files: FileType = None,
        headers: MutableMapping[str, str] | None = None,
    ) -> requests.Response:
        """As gspread's, but neither an endless nor a dripping answer is waited for.

        Raises:
            SheetUnread: Any answer but 200. gspread's own error is not made: it fails itself on
                bodies that are not Google's, and quotes them.
        """
        until = time.monotonic() + self.bounds.read_max_s
        response = self.session.request(
            method=method,
            url=endpoint.replace(GOOGLE, self.base_url, 1),
            json=json,
            params=params,
            data=data,
            files=files,
            headers=headers,
            timeout=self.timeout,
            stream=True,
            allow_redirects=False,
        )
        with response:
            if response.status_code != HTTPStatus.OK:
                raise SheetUnread(f"HTTP {response.status_code}", _retry_after_s(response))
            body = bytearray()
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > self.bounds.body_bytes_max:
                    raise SheetUnread(f"larger than {self.bounds.body_bytes_max} bytes")
                if time.monotonic() > until:
                    raise SheetUnread("time-out")
        response.raw = BytesIO(bytes(body))
        return response


class SheetReader:
    """Reads the first worksheet; keeps its connection and token. For one thread at a time."""

    def __init__(
        self, account: Mapping[str, Any], sheet_id: str, bounds: ReadBounds, base_url: str | None
    ) -> None:
        """Checks the key without a call.

        Raises:
            SheetUnread: The private key cannot be read.
        """
        try:
            client = gspread.service_account_from_dict(
                account, scopes=SCOPES, http_client=BoundedClient
            )
        except (ValueError, google.auth.exceptions.GoogleAuthError) as error:
            raise SheetUnread(f"the private key cannot be used ({type(error).__name__})") from None
        assert isinstance(client.http_client, BoundedClient)
        self._http = client.http_client
        self._http.bounds = bounds
        self._http.base_url = base_url or GOOGLE
        self._http.set_timeout(bounds.timeout_s)
        self._sheet_id = sheet_id

    def read(self, rows: int, columns: int) -> bytes:
        """The top left of the first visible worksheet, in one call, as the API's ``ValueRange``.

        A range without a worksheet's name means the first one: no call to learn the name, and
        no trouble with one such as ``CRM26``, which the API takes for a cell. Google cuts the
        range to the sheet's size, and leaves out empty cells at the end.

        Raises:
            SheetUnread: Whatever went wrong on the way.
        """
        path = SPREADSHEET_VALUES_URL % (
            self._sheet_id,
            f"A1:{gspread.utils.rowcol_to_a1(rows, columns)}",
        )
        try:
            return self._http.request("get", path).content
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise SheetUnread("time-out") from None
        except google.auth.exceptions.RefreshError:
            raise SheetUnread("Google refused the service account") from None
        except google.auth.exceptions.GoogleAuthError as error:
            raise SheetUnread(f"no token ({type(error).__name__})") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise SheetUnread(f"no connection ({type(error).__name__})") from None

    def close(self) -> None:
        self._http.session.close()


def _retry_after_s(response: requests.Response) -> float:
    """Seconds only: a date, which Google does not send, counts as nothing."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
