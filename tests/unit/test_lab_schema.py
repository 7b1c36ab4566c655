"""The local Telegram's strictness: what is no parameter of the Bot API is an error."""

import aiogram.methods
import pytest

from lab.telegram.errors import ApiError
from lab.telegram.methods import ALL
from lab.telegram.schema import SCHEMAS, Upload
from lab.telegram.table import METHODS


@pytest.mark.parametrize("name", METHODS)
def test_the_table_has_the_parameters_that_aiogram_knows(name: str) -> None:
    fields = getattr(aiogram.methods, name[0].upper() + name[1:]).model_fields
    current = {
        field
        for field, info in fields.items()
        if not (isinstance(info.json_schema_extra, dict) and info.json_schema_extra["deprecated"])
    }
    schema = SCHEMAS[name.lower()]
    assert current <= schema.checks.keys() <= fields.keys()
    assert set(schema.required) == {field for field, info in fields.items() if info.is_required()}


def test_every_method_of_the_table_is_made() -> None:
    assert SCHEMAS.keys() == ALL.keys() | {"getupdates"}


def _complaint(method: str, given: dict[str, object]) -> str:
    with pytest.raises(ApiError) as refused:
        SCHEMAS[method].validate(given, strict=True)
    assert refused.value.code == 400
    return refused.value.description.removeprefix("Bad Request: ")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"chat_id": 1}, "message text is empty"),
        ({"text": "x"}, "chat_id is empty"),
        ({"chat_id": 1, "text": None}, "message text is empty"),
        ({"chat_id": 1, "text": 5}, 'field "text" of sendMessage must be a string'),
        ({"chat_id": 1.5, "text": "x"}, 'field "chat_id" of sendMessage must be a chat id'),
        ({"chat_id": True, "text": "x"}, 'field "chat_id" of sendMessage must be a chat id'),
        ({"chat_id": "nobody", "text": "x"}, "chat not found"),
        ({"chat_id": 1, "text": "x", "txet": "x"}, 'unknown field "txet" in method sendMessage'),
        ({"chat_id": 1, "text": "x", "message_thread_id": "a"}, "must be an integer"),
        ({"chat_id": 1, "text": "x", "protect_content": "yes"}, "must be a boolean"),
        ({"chat_id": 1, "text": "x", "reply_markup": "{"}, "must be a JSON-serialized value"),
        ({"chat_id": 1, "text": "x", "reply_parameters": {"id": 1}}, 'unknown field "id"'),
        ({"chat_id": 1, "text": "x", "reply_parameters": {}}, "must be an object with message_id"),
        ({"chat_id": 1, "text": "x", "entities": [{"type": "bold"}]}, "type, offset and length"),
    ],
)
def test_wrong_parameters_are_named(given: dict[str, object], complaint: str) -> None:
    assert complaint in _complaint("sendmessage", given)


def test_forms_carry_everything_as_text() -> None:
    given: dict[str, object] = {
        "chat_id": "-100",
        "text": "5",
        "message_thread_id": "7",
        "protect_content": "true",
        "reply_parameters": '{"message_id": 3}',
        "reply_markup": '{"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}',
    }
    assert SCHEMAS["sendmessage"].validate(given, strict=True) == {
        "chat_id": -100,
        "text": "5",
        "message_thread_id": 7,
        "protect_content": True,
        "reply_parameters": {"message_id": 3},
        "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]},
    }


def test_a_loose_server_ignores_unknown_fields_as_telegram_does() -> None:
    SCHEMAS["getme"].validate({"x": 1}, strict=False)
    assert "unknown field" in _complaint("getme", {"x": 1})


def test_uploads_may_have_any_name_because_albums_refer_to_them() -> None:
    part = Upload("a.png", "image/png", b"x")
    media = '[{"type": "photo", "media": "attach://one"}]'
    SCHEMAS["sendmediagroup"].validate({"chat_id": 1, "media": media, "one": part}, strict=True)


@pytest.mark.parametrize(
    ("button", "complaint"),
    [
        ({"text": "a"}, "text buttons are unallowed in the inline keyboard"),
        ({"callback_data": "a"}, "must be a string"),
        ({"text": "a", "callback_data": "x" * 65}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": "ж" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": "b", "url": "https://a"}, "exactly one action"),
        ({"text": "a", "url": "nowhere"}, "BUTTON_URL_INVALID"),
        ({"text": "a", "callback_data": "b", "color": "red"}, 'unknown field "color"'),
        ("a", "expected an object"),
    ],
)
def test_buttons_are_checked(button: object, complaint: str) -> None:
    markup = {"inline_keyboard": [[button]]}
    given: dict[str, object] = {"chat_id": 1, "text": "x", "reply_markup": markup}
    assert complaint in _complaint("sendmessage", given)


def test_callback_data_may_have_64_bytes() -> None:
    markup = {"inline_keyboard": [[{"text": "a", "callback_data": "ж" * 32}]]}
    SCHEMAS["sendmessage"].validate(
        {"chat_id": 1, "text": "x", "reply_markup": markup}, strict=True
    )


def test_edits_take_inline_keyboards_only() -> None:
    given: dict[str, object] = {"chat_id": 1, "message_id": 1, "reply_markup": {"keyboard": []}}
    assert _complaint("editmessagereplymarkup", given) == "inline keyboard expected"
