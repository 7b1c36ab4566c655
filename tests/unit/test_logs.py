"""Logs: one shape for every line, and nothing in them that must not be seen."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from bootstrap.logs import configure_logging
from bootstrap.masking import Mask

TOKEN = "123456789:" + "aB3_-" * 7
KEY = "-----BEGIN KEY-----\nabc/def+ghi\n-----END KEY-----\n"

type Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines() -> Lines:
    stream = StringIO()
    secrets = (TOKEN, "p@ss word", KEY, "abc")
    configure_logging(level="INFO", style="auto", node="n1", secrets=secrets, stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_line_is_json_with_node_ticket_and_update(lines: Lines) -> None:
    log = structlog.get_logger("bot.intake")
    with structlog.contextvars.bound_contextvars(ticket_id=17, update_id=4):
        log.info("update_stored", seq=3)
    log.debug("not_shown")
    (stored,) = lines()
    assert stored.pop("timestamp").endswith("Z")
    assert stored == {
        "level": "info",
        "logger": "bot.intake",
        "event": "update_stored",
        "node": "n1",
        "ticket_id": 17,
        "update_id": 4,
        "seq": 3,
    }


def test_libraries_write_the_same_lines(lines: Lines) -> None:
    with structlog.contextvars.bound_contextvars(ticket_id=17):
        logging.getLogger("aiogram").error("failed %s", TOKEN, extra={"chat": 5})
    logging.getLogger("aiogram.event").info("chatter")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    failed, warned = lines()
    assert (failed["logger"], failed["level"], failed["event"]) == (
        "aiogram",
        "error",
        "failed ***",
    )
    assert (failed["node"], failed["ticket_id"], failed["chat"]) == ("n1", 17, 5)
    assert "old ways" in warned["event"]


def test_tracebacks_are_masked_too(lines: Lines) -> None:
    try:
        raise ValueError(f"POST https://api.telegram.org/bot{TOKEN}/sendMessage")  # noqa: TRY301
    except ValueError:
        structlog.get_logger().exception("call_failed")
        logging.getLogger("aiohttp").exception("call failed")
    ours, theirs = lines()
    for line in (ours, theirs):
        assert "ValueError: POST https://api.telegram.org/bot***/sendMessage" in line["exception"]
        assert TOKEN not in json.dumps(line)


def test_a_terminal_gets_readable_lines_without_empty_fields() -> None:
    stream = StringIO()
    configure_logging(level="INFO", style="console", node="n1", secrets=(TOKEN,), stream=stream)
    try:
        raise ValueError(TOKEN)  # noqa: TRY301
    except ValueError:
        structlog.get_logger().exception("call_failed", token="x", other=TOKEN)
    shown = stream.getvalue()
    assert "call_failed" in shown
    assert "n1" in shown
    assert "ticket_id" not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"token {TOKEN} used", "token *** used"),
        (f"http://h/bot{TOKEN}/getMe", "http://h/bot***/getMe"),
        ("http://h/bot42:demo/getMe", "http://h/bot***/getMe"),
        ("http://h/file/bot42%3Ademo/photo.jpg", "http://h/file/bot***/photo.jpg"),
        ("p@ss word", "***"),
        ("redis://:p%40ss%20word@h/0", "redis://:***@h/0"),
        (repr(KEY), "'***'"),
        ("write to Ann.Lee+x@mail.example.org, please", "write to ***, please"),
        ("пишите: иван@почта.рф", "пишите: ***"),
        ("call +7 (916) 123-45-67 now", "call *** now"),
        ("call +442071838750", "call ***"),
        ("звоните 8 916 123-45-67", "звоните ***"),
        ("89161234567", "***"),
        ("79161234567.", "***."),
        ("chat -1001234567890 not found", "chat -1001234567890 not found"),
        ("user 7916123456", "user 7916123456"),
        ("2026-11-21T06:30:45+00:00", "2026-11-21T06:30:45+00:00"),
        ("retry after 30, attempt 2/5", "retry after 30, attempt 2/5"),
        ("@alice took #17 | Bob", "@alice took #17 | Bob"),
    ],
)
def test_what_is_masked_and_what_is_not(text: str, shown: str) -> None:
    mask = Mask((TOKEN, "p@ss word", KEY, "abc"))
    assert mask.text(text) == shown


def test_masking_reaches_into_data_and_objects() -> None:
    class Thing:
        def __repr__(self) -> str:
            return f"<Thing {TOKEN}>"

    event = {
        "event": "x",
        "headers": {"X-Telegram-Bot-Api-Secret-Token": "any", "a@b.org": 1},
        "list": [TOKEN, (1, 2.5, None, True)],
        "thing": Thing(),
        "secret": SecretStr("hush"),
        "bot_token": "odd",
        "chat_id": -1001234567890,
    }
    assert Mask()(None, "info", event) == {
        "event": "x",
        "headers": {"X-Telegram-Bot-Api-Secret-Token": "***", "***": 1},
        "list": ["***", [1, 2.5, None, True]],
        "thing": "<Thing ***>",
        "secret": "***",
        "bot_token": "***",
        "chat_id": -1001234567890,
    }


def test_a_cycle_and_odd_values_do_not_break_a_line(lines: Lines) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    structlog.get_logger().info("odd", cycle=cycle, big=2**80, half="\ud83d", raw=b"\xff")
    (line,) = lines()
    assert (line["event"], line["big"], line["raw"]) == ("odd", 2**80, "b'\\xff'")
