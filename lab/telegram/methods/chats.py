"""What a bot may ask about itself, chats and members, and its settings."""

import re

import orjson

from lab.telegram.entities import units
from lab.telegram.errors import bad_request, query_too_old
from lab.telegram.methods.base import Call, Method, chat_of
from lab.telegram.model import Answer, Json, Member
from lab.telegram.render import full_chat_json, member_json, user_json

CALLBACK_ANSWER_MAX = 200
COMMANDS_MAX = 100
COMMAND_DESCRIPTION_MAX = 256

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")


def get_me(call: Call) -> Json:
    return user_json(call.bot.user) | {
        "can_join_groups": True,
        "can_read_all_group_messages": not call.bot.privacy,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
    }


def answer_callback_query(call: Call) -> bool:
    """Telegram forgets a query once it is answered or too old."""
    world = call.world
    callback = world.callbacks.get(call.text("callback_query_id"))
    if callback is None or callback.answered or callback.bot_id != call.bot.id:
        raise query_too_old()
    if world.clock() - callback.pressed_at > call.bot.feed.callback_life_s:
        raise query_too_old()
    text = call.text("text")
    if units(text) > CALLBACK_ANSWER_MAX:
        raise bad_request("MESSAGE_TOO_LONG")
    callback.answered = True
    answer = Answer(
        callback_query_id=callback.id,
        user_id=callback.user.id,
        chat_id=callback.message.chat.id,
        text=text,
        alert=call.flag("show_alert"),
        at=world.clock(),
    )
    world.answers.append(answer)
    world.events.publish(
        "answer",
        lambda: {
            "user_id": answer.user_id,
            "chat_id": answer.chat_id,
            "text": answer.text,
            "alert": answer.alert,
            "callback_query_id": answer.callback_query_id,
        },
    )
    return True


def get_chat(call: Call) -> Json:
    return full_chat_json(chat_of(call))


def get_chat_member(call: Call) -> Json:
    chat = chat_of(call)
    user_id = call.number("user_id")
    user = call.world.users.get(user_id)
    if user is None:
        raise bad_request("PARTICIPANT_ID_INVALID")
    if chat.user is not None:
        return member_json(Member(user=user, status="member"))
    return member_json(chat.members.get(user_id) or Member(user=user, status="left"))


def get_administrators(call: Call) -> list[Json]:
    chat = chat_of(call)
    if chat.user is not None:
        raise bad_request("there are no administrators in the private chat")
    return [
        member_json(member)
        for member in chat.members.values()
        if member.is_admin
        and (not member.user.is_bot or member.user is call.bot.user or call.flag("return_bots"))
    ]


def get_member_count(call: Call) -> int:
    chat = chat_of(call)
    if chat.user is not None:
        return 2
    return sum(1 for member in chat.members.values() if member.present)


def leave_chat(call: Call) -> bool:
    chat = chat_of(call)
    if chat.user is not None:
        raise bad_request("chat member status can't be changed in private chats")
    call.world.set_member(chat, call.bot.user, "left")
    return True


def profile_photos(call: Call) -> Json:
    if call.number("user_id") not in call.world.users:
        raise bad_request("user not found")
    return {"total_count": 0, "photos": []}


def _scope(call: Call) -> str:
    scope = orjson.dumps(call.object("scope") or {"type": "default"}, option=orjson.OPT_SORT_KEYS)
    return f"{call.text('language_code')}:{scope.decode()}"


def set_commands(call: Call) -> bool:
    commands = call.objects("commands") or []
    if len(commands) > COMMANDS_MAX:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        name, description = str(command.get("command", "")), str(command.get("description", ""))
        if not _COMMAND.fullmatch(name.removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 0 < len(description) <= COMMAND_DESCRIPTION_MAX:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    call.bot.commands[_scope(call)] = commands
    return True


def delete_commands(call: Call) -> bool:
    call.bot.commands.pop(_scope(call), None)
    return True


def get_commands(call: Call) -> list[Json]:
    return call.bot.commands.get(_scope(call), [])


def accepted(call: Call) -> bool:
    """Settings that change nothing which the lab shows."""
    del call
    return True


METHODS: dict[str, Method] = {
    "getme": get_me,
    "logout": accepted,
    "close": accepted,
    "answercallbackquery": answer_callback_query,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "getchatadministrators": get_administrators,
    "getchatmembercount": get_member_count,
    "leavechat": leave_chat,
    "getuserprofilephotos": profile_photos,
    "setmycommands": set_commands,
    "deletemycommands": delete_commands,
    "getmycommands": get_commands,
    "setmyname": accepted,
    "setmydescription": accepted,
    "setmyshortdescription": accepted,
    "setchatmenubutton": accepted,
}
