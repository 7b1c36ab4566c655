"""Checks of ``reply_markup``: shapes, sizes, and exactly one action per inline button."""

from lab.telegram.errors import bad_request

CALLBACK_DATA_BYTES_MAX = 64
BUTTONS_MAX = 100

_INLINE_ACTIONS = frozenset(
    {
        "url",
        "callback_data",
        "web_app",
        "login_url",
        "switch_inline_query",
        "switch_inline_query_current_chat",
        "switch_inline_query_chosen_chat",
        "copy_text",
        "callback_game",
        "pay",
    }
)
_INLINE_FIELDS = _INLINE_ACTIONS | {"text", "icon_custom_emoji_id", "style", "disabled"}
_MARKUPS = {
    "inline_keyboard": frozenset({"inline_keyboard", "force_reply"}),
    "keyboard": frozenset(
        {
            "keyboard",
            "is_persistent",
            "resize_keyboard",
            "one_time_keyboard",
            "input_field_placeholder",
            "selective",
            "force_reply",
        }
    ),
    "remove_keyboard": frozenset({"remove_keyboard", "selective"}),
    "force_reply": frozenset({"force_reply", "input_field_placeholder", "selective"}),
}


def check_markup(markup: dict[str, object]) -> dict[str, object]:
    """Any of the four kinds of reply markup; an empty object means none."""
    for mark, fields in _MARKUPS.items():
        if mark in markup:
            unknown = markup.keys() - fields
            if unknown:
                raise bad_request(f'unknown field "{min(unknown)}" in reply_markup')
            return _checked_inline(markup) if mark == "inline_keyboard" else markup
    if markup:
        raise bad_request("object expected as reply markup")
    return markup


def check_inline(markup: dict[str, object]) -> dict[str, object]:
    """An inline keyboard, the only markup that edits take."""
    if markup and "inline_keyboard" not in markup:
        raise bad_request("inline keyboard expected")
    return check_markup(markup)


def _checked_inline(markup: dict[str, object]) -> dict[str, object]:
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" must be an array of arrays of buttons')
    count = 0
    for row in rows:
        for button in row:
            _check_button(button)
            count += 1
    if count > BUTTONS_MAX:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return markup


def _check_button(button: object) -> None:
    if not isinstance(button, dict):
        raise bad_request("can't parse inline keyboard button: expected an object")
    unknown = button.keys() - _INLINE_FIELDS
    if unknown:
        raise bad_request(f'unknown field "{min(unknown)}" in inline keyboard button')
    text = button.get("text")
    if not isinstance(text, str) or not text:
        raise bad_request('can\'t parse inline keyboard button: field "text" must be a string')
    actions = [name for name in _INLINE_ACTIONS & button.keys() if button[name] is not None]
    if not actions:
        raise bad_request("text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad_request("inline keyboard button must have exactly one action")
    data = button.get("callback_data")
    if data is not None:
        if not isinstance(data, str):
            raise bad_request('field "callback_data" must be a string')
        if not 0 < len(data.encode()) <= CALLBACK_DATA_BYTES_MAX:
            raise bad_request("BUTTON_DATA_INVALID")
    url = button.get("url")
    if url is not None and not (isinstance(url, str) and "://" in url):
        raise bad_request("BUTTON_URL_INVALID")
