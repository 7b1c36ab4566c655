"""Sentry is told of errors, with ticket and node, and of nobody's data."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
import sentry_sdk
import structlog

from bootstrap.logs import configure_logging
from bootstrap.masking import Mask
from bootstrap.sentry import MissingSentry, SentryOptions, Telling, start_sentry
from tests.fakes.sentry import FakeSentry

ROOT = Path(__file__).parents[2]
TOKEN = "123456789:" + "aB3_-" * 7


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.init()  # its hook for what ends the program stays, and tells nobody
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def sentry() -> Iterator[FakeSentry]:
    with FakeSentry.serve() as fake:
        yield fake


@pytest.fixture
def telling(sentry: FakeSentry) -> Telling:
    mask = Mask(["hunter2-of-the-desk"])
    telling = start_sentry(sentry.dsn, node="desk-1", release="1.2", mask=mask)
    configure_logging(level="INFO", style="json", node="desk-1", stream=StringIO(), tell=telling)
    return telling


def _fail(text: str) -> None:
    phone = "+7 916 123-45-67"
    raise ValueError(f"cannot send {text!r} to {phone}")


def test_an_error_is_told_with_its_traceback_its_ticket_and_its_node(
    sentry: FakeSentry, telling: Telling
) -> None:
    with structlog.contextvars.bound_contextvars(ticket_id=17):
        try:
            _fail("hello")
        except ValueError:
            structlog.get_logger("supervisor").exception("actor_crashed", crashes=2)
    [event] = sentry.wait(1)
    assert event["tags"] == {"node": "desk-1", "ticket": "17"}
    assert (event["logger"], event["level"]) == ("supervisor", "error")
    assert event["logentry"]["message"] == "actor_crashed"
    assert event["extra"]["crashes"] == 2
    assert (event["release"], event["server_name"]) == ("topicdesk@1.2", "desk-1")
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "cannot send 'hello' to ***")
    assert error["stacktrace"]["frames"][-1]["function"] == "_fail"
    assert "publickey0123456789" in sentry.keys[0]
    assert telling is not None


def test_nobodys_data_no_secret_and_no_variable_leaves_the_program(
    sentry: FakeSentry, telling: Telling
) -> None:
    words = "Иван Петров, ул. Ленина, д. 5, кв. 12, ivan@example.org"
    sentry_sdk.set_user({"id": "501", "username": "ivan"})
    try:
        _fail(words)
    except ValueError as error:
        structlog.get_logger("bot").error(
            "call_failed",
            exc_info=error,
            url=f"https://api.telegram.org/bot{TOKEN}/sendMessage",
            client={"id": 501, "name": "Иван", "username": "ivan"},
            password="hunter2-of-the-desk",
            note="with hunter2-of-the-desk and 4111 1111 1111 1111",
            text=words,
        )
    [event] = sentry.wait(1)
    sent = str(event)
    for secret in (TOKEN, "hunter2", "Ленина", "ivan", "4111", "916 123", "phone = "):
        assert secret not in sent, secret
    assert "user" not in event
    assert "request" not in event
    assert not event.get("breadcrumbs")
    assert all("vars" not in f for f in event["exception"]["values"][0]["stacktrace"]["frames"])
    for raw in sentry.raw:
        assert b"hunter2" not in raw


def test_errors_of_libraries_are_told_and_what_is_no_error_is_not(
    sentry: FakeSentry, telling: Telling
) -> None:
    structlog.get_logger("bot").warning("call_failed")
    logging.getLogger("asyncio").warning("slow")
    try:
        _fail("x")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Unhandled exception of %s", "+79161234567")
    [event] = sentry.wait(1)
    assert event["logger"] == "aiohttp.server"
    assert event["logentry"]["message"] == "Unhandled exception of ***"
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert "ticket" not in event["tags"]


def test_what_ends_the_program_is_told_with_its_node(
    sentry: FakeSentry, telling: Telling, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        _fail("x")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    [event] = sentry.wait(1)
    assert event["tags"]["node"] == "desk-1"
    assert event["exception"]["values"][0]["value"] == "cannot send 'x' to ***"
    assert "ValueError" in capsys.readouterr().err


def test_what_is_told_last_still_leaves_when_the_program_ends(sentry: FakeSentry) -> None:
    script = """
import os, structlog
from pathlib import Path
from bootstrap.cli_shared import configure_logs
from bootstrap.settings import load_storage_settings
configure_logs(load_storage_settings(os.environ, None), Path("no.env"))
structlog.get_logger("bootstrap").error("the_end", token="hush")
"""
    environ = {"SENTRY_DSN": sentry.dsn, "NODE_NAME": "desk-9", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environ, cwd=ROOT
    )
    [event] = sentry.wait(1)
    assert (event["logentry"]["message"], event["tags"]["node"]) == ("the_end", "desk-9")
    assert event["extra"]["token"] == "***"
    assert "publickey" not in done.stderr


def test_a_flood_of_one_error_is_told_a_few_times_a_minute(
    sentry: FakeSentry, telling: Telling
) -> None:
    now = 0.0
    options = SentryOptions(per_kind_max=3)
    few = Telling(sentry_sdk, "desk-1", options, clock=lambda: now)
    for number in range(50):
        few(None, "error", {"event": "outbox_unreadable", "n": number})
    few(None, "error", {"event": "another"})
    now = 61.0
    few(None, "error", {"event": "outbox_unreadable", "n": 50})
    told = [event["extra"].get("n") for event in sentry.wait(5)]
    assert sorted(told, key=str) == [0, 1, 2, 50, None]


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingSentry, match=r"topicdesk\[sentry\]"):
        start_sentry("http://k@127.0.0.1/1", node="n", release="1", mask=Mask())
