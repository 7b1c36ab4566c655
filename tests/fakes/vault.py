"""A server that answers as HashiCorp Vault does: AppRole, tokens with policies, KV version 2.

After https://developer.hashicorp.com/vault/api-docs: ``/secret/kv/kv-v2`` and ``/auth/approle``.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

ROLE_ID = "db02de05-fa39-4855-059b-67221c5c2f63"
SECRET_ID = "6a174c20-f6de-a53c-74d2-6018fcceff64"
TOKEN = "hvs.a-token-that-may-read"
BLIND_TOKEN = "hvs.a-token-without-a-policy"


class FakeVault:
    """Secrets by ``mount/path``; ``None`` is a secret of which the newest version is deleted."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any] | None] = {}
        self.plain: dict[str, dict[str, Any]] = {}
        """Those of an engine of version 1."""
        self.sealed = False
        self.broken: bytes | None = None
        """What is answered instead of everything, such as a proxy's page."""
        self.logins = 0
        self.url = ""

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if (method, path) == ("POST", "/v1/auth/approle/login"):
            return self._login(body)
        if token != TOKEN:
            return 403, {"errors": ["permission denied"]}
        if (found := self.plain.get(path.removeprefix("/v1/"))) is not None:
            return 200, {"data": found, "lease_duration": 2764800}
        mount, _, rest = path.removeprefix("/v1/").partition("/")
        name = f"{mount}/{rest.removeprefix('data/')}"
        if method != "GET" or not rest.startswith("data/") or name not in self.secrets:
            return 404, {"errors": []}
        data = self.secrets[name]
        gone = "" if data is not None else "2026-01-01T00:00:00Z"
        metadata = {"version": 3, "deletion_time": gone, "destroyed": False}
        return (404 if gone else 200), {"data": {"data": data, "metadata": metadata}}

    def _login(self, body: dict[str, Any]) -> tuple[int, Any]:
        if (body.get("role_id"), body.get("secret_id")) != (ROLE_ID, SECRET_ID):
            return 400, {"errors": ["invalid role or secret ID"]}
        self.logins += 1
        return 200, {"auth": {"client_token": TOKEN, "lease_duration": 1200, "renewable": True}}

    @classmethod
    @contextmanager
    def serve(cls) -> Iterator[Self]:
        served = cls()

        class Handler(_Handler):
            fake: ClassVar[FakeVault] = served

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            served.url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield served
            finally:
                server.shutdown()
                thread.join()


class _Handler(BaseHTTPRequestHandler):
    fake: ClassVar[FakeVault]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = json.loads(body) if body else {}
        token = self.headers.get("X-Vault-Token", "")
        status, answer = self.fake.answer(method, self.path, token, given)
        content = self.fake.broken or json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Tests are silent."""
