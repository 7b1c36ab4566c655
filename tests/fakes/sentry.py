"""A server that takes what Sentry's clients send."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeSentry:
    """``dsn`` is its address; ``events`` holds what came, decoded."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.keys: list[str] = []
        self._came = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                outer.take(body, self.headers.get("X-Sentry-Auth", ""))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Nothing: the test looks at what came."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://publickey0123456789@127.0.0.1:{self._server.server_port}/4"

    def take(self, body: bytes, auth: str) -> None:
        with self._came:
            self.raw.append(body)
            self.keys.append(auth)
            lines = body.split(b"\n")
            for header, item in zip(lines[1::2], lines[2::2], strict=False):
                if json.loads(header).get("type") == "event":
                    self.events.append(json.loads(item))
            self._came.notify_all()

    def wait(self, count: int, timeout_s: float = 10) -> list[dict[str, Any]]:
        """The events, once there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.events) >= count, timeout_s), self.raw
            return list(self.events)

    @classmethod
    @contextmanager
    def serve(cls) -> Iterator["FakeSentry"]:
        fake = cls()
        thread = threading.Thread(target=fake._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            fake._server.shutdown()
            fake._server.server_close()
            thread.join()
