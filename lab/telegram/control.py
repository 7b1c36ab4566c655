"""The control API: tests, the demo script and benchmarks move the world's people with it.

JSON over HTTP under ``/control/``. What a person could not do is answered ``400 {"error": text}``.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, replace

from aiohttp import web

from lab.telegram import bodies, people
from lab.telegram.bot_api import BotApi
from lab.telegram.errors import WorldError
from lab.telegram.faults import FaultRule
from lab.telegram.hub import WebhookHub
from lab.telegram.model import Json, Message
from lab.telegram.routes import Handler, answered, guarded, json_answer
from lab.telegram.view import chat_view, message_view, topic_view, user_view
from lab.telegram.world import World

MESSAGES_PER_ANSWER_MAX = 5_000


class ControlApi:
    """Handlers over one world."""

    def __init__(self, *, world: World, bot_api: BotApi, webhooks: WebhookHub) -> None:
        self._world = world
        self._api = bot_api
        self._webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        post = {
            "bot": answered(bodies.NewBot, self._bot),
            "user": answered(bodies.NewUser, self._user),
            "group": answered(bodies.NewGroup, self._group),
            "send": answered(bodies.Send, self._send),
            "send_many": answered(bodies.SendMany, self._send_many),
            "edit": answered(bodies.Edit, self._edit),
            "delete": answered(bodies.Delete, self._delete),
            "press": answered(bodies.Press, self._press),
            "react": answered(bodies.React, self._react),
            "block": answered(bodies.Block, lambda body: self._block(body, blocked=True)),
            "unblock": answered(bodies.Block, lambda body: self._block(body, blocked=False)),
            "topic": answered(bodies.TopicAction, self._topic),
            "kick": answered(bodies.Kick, self._kick),
            "join": answered(bodies.Join, self._join),
            "promote": answered(bodies.Promote, self._promote),
            "migrate": answered(bodies.Migrate, self._migrate),
            "limits": answered(bodies.SetLimits, self._limits),
            "faults": answered(bodies.AddFault, self._add_fault),
            "faults/clear": answered(bodies.ClearFaults, self._clear_faults),
            "reset": answered(bodies.Nothing, self._reset),
        }
        get: dict[str, Callable[[dict[str, int]], object]] = {
            "world": lambda _: world_view(self._world),
            "messages": self._messages,
            "calls": self._calls,
            "answers": self._answers,
            "faults": lambda _: [rule.as_json() for rule in self._world.faults.rules],
            "stats": lambda _: self.stats(),
        }
        return [web.post(f"/control/{name}", handler) for name, handler in post.items()] + [
            web.get(f"/control/{name}", _reading(act)) for name, act in get.items()
        ]

    # --- people -----------------------------------------------------------------------------

    def _bot(self, body: bodies.NewBot) -> Json:
        bot = self._world.add_bot(
            token=body.token, username=body.username, name=body.name, privacy=body.privacy
        )
        return {"id": bot.id, "username": bot.user.username, "name": bot.user.name}

    def _user(self, body: bodies.NewUser) -> Json:
        user = self._world.add_user(
            body.name,
            user_id=body.id,
            username=body.username,
            language=body.language,
            is_client=body.is_client,
            is_technician=body.is_technician,
        )
        return user_view(user, self._world)

    def _group(self, body: bodies.NewGroup) -> Json:
        chat = self._world.add_group(
            body.title,
            chat_id=body.id,
            forum=body.forum,
            role=body.role,
            members=body.members,
            admins=body.admins,
        )
        return chat_view(chat)

    def _send(self, body: bodies.Send) -> Json:
        message = people.send(
            self._world,
            body.user,
            body.chat,
            text=body.text,
            kind=body.kind,
            payload=body.payload,
            thread_id=body.thread,
            reply_to=body.reply_to,
            quote=body.quote,
            entities=body.entities,
            anonymous=body.anonymous,
            media_group_id=body.media_group_id,
            protected=body.protected,
            origin=body.origin,
            premium=body.premium,
            bot_id=body.bot,
        )
        return message_view(message)

    def _send_many(self, body: bodies.SendMany) -> list[Json]:
        return [self._send(message) for message in body.messages]

    def _edit(self, body: bodies.Edit) -> Json:
        message = people.edit(
            self._world,
            body.user,
            body.chat,
            body.message_id,
            body.text,
            entities=body.entities,
            kind=body.kind,
        )
        return message_view(message)

    def _delete(self, body: bodies.Delete) -> Json:
        message = self._world.chat(body.chat).message(body.message_id)
        if message is None:
            raise WorldError("there is no such message")
        self._world.delete(message)
        return message_view(message)

    def _press(self, body: bodies.Press) -> Json:
        callback = people.press(
            self._world,
            body.user,
            body.chat,
            body.message_id,
            data=body.data,
            row=body.row,
            column=body.column,
            text=body.text,
            forged=body.forged,
        )
        return {"callback_query_id": callback.id, "data": callback.data}

    def _react(self, body: bodies.React) -> Json:
        people.react(self._world, body.user, body.chat, body.message_id, body.emoji)
        return _OK

    def _block(self, body: bodies.Block, *, blocked: bool) -> Json:
        people.block(self._world, body.user, blocked=blocked, bot_id=body.bot)
        return _OK

    # --- groups -----------------------------------------------------------------------------

    def _topic(self, body: bodies.TopicAction) -> Json:
        topic = people.topic(
            self._world,
            body.user,
            body.chat,
            body.action,
            thread_id=body.thread,
            name=body.name,
        )
        return topic_view(topic)

    def _kick(self, body: bodies.Kick) -> Json:
        people.kick(self._world, body.chat, body.user, banned=body.banned)
        return _OK

    def _join(self, body: bodies.Join) -> Json:
        chat = self._world.chat(body.chat)
        self._world.set_member(chat, self._world.user(body.user), "member")
        return _OK

    def _promote(self, body: bodies.Promote) -> Json:
        rights = None if body.rights is None else frozenset(body.rights)
        people.promote(self._world, body.chat, body.user, rights, admin=body.admin)
        return _OK

    def _migrate(self, body: bodies.Migrate) -> Json:
        return chat_view(people.migrate(self._world, body.chat))

    # --- trouble ----------------------------------------------------------------------------

    def _limits(self, body: bodies.SetLimits) -> Json:
        limits = self._api.limits
        limits.set_rules(replace(limits.rules, enabled=body.enabled, scale=body.scale))
        return asdict(limits.rules)

    def _add_fault(self, body: bodies.AddFault) -> Json:
        return self._world.faults.add(FaultRule(**body.model_dump())).as_json()

    def _clear_faults(self, body: bodies.ClearFaults) -> Json:
        self._world.faults.clear(body.id)
        return _OK

    def _reset(self, _: bodies.Nothing) -> Json:
        for bot in self._world.bots.values():
            self._webhooks.delete_webhook(bot)
        self._world.reset()
        self._api.calls.clear()
        self._api.limits.set_rules(replace(self._api.limits.rules, enabled=False))
        return _OK

    # --- looking ----------------------------------------------------------------------------

    def _messages(self, query: dict[str, int]) -> list[Json]:
        chat = self._world.chat(_wanted(query, "chat"), query.get("bot"))
        thread = query.get("thread")
        found: list[Message] = [
            message
            for message in chat.messages[max(query.get("after", 0), 0) :]
            if thread is None or message.thread_id == (thread or None)
        ]
        limit = min(query.get("limit", MESSAGES_PER_ANSWER_MAX), MESSAGES_PER_ANSWER_MAX)
        return [message_view(message) for message in found[:limit]]

    def _calls(self, query: dict[str, int]) -> list[Json]:
        records = self._api.calls.after(query.get("after", 0), query.get("limit", 10_000))
        return [record.as_json() for record in records]

    def _answers(self, query: dict[str, int]) -> list[Json]:
        return [asdict(answer) for answer in self._world.answers[query.get("after", 0) :]]

    def stats(self) -> Json:
        """Counts since the start: calls, refusals, updates by bot."""
        return {
            "at": time.time(),
            "calls": dict(self._api.calls.by_method),
            "codes": {str(code): count for code, count in self._api.calls.by_code.items()},
            "limited": self._api.limits.refused,
            "updates": {
                bot.user.username or str(bot.id): {
                    **asdict(bot.feed.stats),
                    "pending": len(bot.feed.pending),
                    "in_flight": push.in_flight if push is not None else 0,
                    "blocked_queues": push.blocked if push is not None else 0,
                }
                for bot in self._world.bots.values()
                for push in (self._webhooks.webhook_of(bot),)
            },
        }


_OK: Json = {"ok": True}


def world_view(world: World) -> Json:
    """Everything, as the page loads it. Private chats are those of the first bot."""
    first_bot = next(iter(world.bots), None)
    private = [chat for (bot_id, _), chat in world.private.items() if bot_id == first_bot]
    groups = [chat for chat in world.groups.values() if chat.migrated_to is None]
    return {
        "bots": [
            {"id": bot.id, "username": bot.user.username, "name": bot.user.name}
            for bot in world.bots.values()
        ],
        "users": [user_view(user, world) for user in world.users.values() if not user.is_bot],
        "chats": [
            chat_view(chat) | {"messages": [message_view(message) for message in chat.messages]}
            for chat in [*private, *groups]
        ],
        "seq": world.events.seq,
    }


def _wanted(query: dict[str, int], name: str) -> int:
    if name not in query:
        raise WorldError(f"{name} is missing")
    return query[name]


def _reading(act: Callable[[dict[str, int]], object]) -> Handler:
    """A GET handler; every query parameter is an integer."""

    async def handle(request: web.Request) -> web.StreamResponse:
        async def run() -> web.Response:
            return json_answer(act({name: int(value) for name, value in request.query.items()}))

        return await guarded(run)

    return handle
