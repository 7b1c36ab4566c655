"""Aiogram's types are built when they are first used, and are then what aiogram makes of them."""

import subprocess
import sys

import orjson
import pytest

TYPES = """
import re, sys, {first}
import orjson
from aiogram import methods, types
from pydantic import BaseModel

found = {{}}
for package in (types, methods):
    for name in package.__all__:
        kind = getattr(package, name)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and name != "TelegramMethod":
            kind.model_rebuild()
            assert kind.__pydantic_complete__
            fields = repr(kind.model_fields)
            found[name] = re.sub(" at 0x[0-9a-f]+", "", fields)
for kind in (types.Update, types.ChatFullInfo, methods.SendMessage, methods.CopyMessage):
    found[f"JSON of {{kind.__name__}}"] = kind.model_json_schema()
sys.stdout.buffer.write(orjson.dumps(found))
"""

BUILT = """
import {first}
from aiogram import types

message = {{"message_id": 2, "date": 0, "chat": {{"id": 3, "type": "private"}}}}
update = types.Update.model_validate({{"update_id": 1, "message": message}})
print(type(update.message.chat).__name__, types.Update.__pydantic_complete__,
      types.StarTransactions.__pydantic_complete__)
"""


def said(program: str) -> bytes:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout


def test_types_and_methods_are_those_of_aiogram_s_own_import() -> None:
    deferred = orjson.loads(said(TYPES.format(first="bot")))
    own = orjson.loads(said(TYPES.format(first="aiogram")))
    assert len(own) > 500  # else this compared nothing
    assert deferred.keys() == own.keys()
    assert [name for name in own if deferred[name] != own[name]] == []


@pytest.mark.parametrize(
    "first", ["bot", "bootstrap.app", "bootstrap.cluster", "bootstrap.doctor", "lab.simulation.run"]
)
def test_a_program_builds_only_what_it_uses(first: str) -> None:
    assert said(BUILT.format(first=first)).split() == [b"Chat", b"True", b"False"]


def test_aiogram_that_somebody_imported_before_is_left_as_it_is() -> None:
    assert said(BUILT.format(first="aiogram.types, bot")).split() == [b"Chat", b"True", b"True"]


USED = """
import bootstrap.app
from aiogram import methods, types
from bot.deferred import build_used

build_used()
for kind in (types.Update, methods.CopyMessage, methods.SendMessage, types.StarTransactions):
    print(kind.__pydantic_complete__)
"""


def test_what_the_program_names_can_be_built_before_its_first_message() -> None:
    assert said(USED).split() == [b"True", b"True", b"True", b"False"]
