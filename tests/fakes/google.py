"""Google on loopback: the token endpoint and the values of one sheet, with faults to order."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self
from urllib.parse import unquote

import anyio
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SHEET_ID = "1AbCdEfGhIjKlMnOpQrStUvWx"


@cache
def private_key() -> str:
    """A key for this run of the tests only."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@dataclass
class FakeGoogle:
    """``rows`` is the first worksheet; ``status`` other than 200 answers with Google's error."""

    rows: list[Any] = field(default_factory=list)
    status: int = 200
    token_status: int = 200
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drips: bool = False
    gate: anyio.Event | None = None
    ranges: list[str] = field(default_factory=list)
    tokens: int = 0
    others: list[str] = field(default_factory=list)
    url: str = ""

    @classmethod
    @asynccontextmanager
    async def serve(cls) -> AsyncIterator[Self]:
        google = cls()
        app = web.Application()
        app.router.add_post("/token", google._token)
        app.router.add_get("/v4/spreadsheets/{sheet}/values/{range}", google._values)
        app.router.add_route("*", "/{rest:.*}", google._other)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            google.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield google
        finally:
            if google.gate is not None:
                google.gate.set()
            await runner.cleanup()

    @property
    def reads(self) -> int:
        return len(self.ranges)

    def account(self) -> dict[str, str]:
        return {
            "type": "service_account",
            "client_email": "desk@example.iam.gserviceaccount.com",
            "private_key": private_key(),
            "private_key_id": "k1",
            "token_uri": f"{self.url}/token",
        }

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert str(form["assertion"]).count(".") == 2
        self.tokens += 1
        if self.token_status != 200:
            answer = {"error": "invalid_grant", "error_description": "hush"}
            return web.json_response(answer, status=self.token_status)
        return web.json_response({"access_token": "t0ken", "expires_in": 3600})

    async def _values(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer t0ken"
        assert request.match_info["sheet"] == SHEET_ID
        self.ranges.append(unquote(request.match_info["range"]))
        if self.gate is not None:
            await self.gate.wait()
        if self.drips:
            return await self._drip(request)
        if self.raw is not None:
            return web.Response(body=self.raw, status=self.status, headers=self.headers)
        if self.status != 200:
            error = {"code": self.status, "message": "hush", "status": "X"}
            return web.json_response({"error": error}, status=self.status, headers=self.headers)
        body = {"range": "'Clients'!A1:Z1000", "majorDimension": "ROWS", "values": self.rows}
        response = web.Response(text=json.dumps(body), content_type="application/json")
        response.enable_compression()
        return response

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        """One sign after another, until they are stopped or nobody reads."""
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while self.drips:
                await response.write(b" ")
                await anyio.sleep(0.01)
        return response

    async def _other(self, request: web.Request) -> web.Response:
        self.others.append(request.path)
        return web.json_response({"error": {"code": 404, "message": "no"}}, status=404)
