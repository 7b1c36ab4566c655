"""The world: who and what there is, and the few ways in which it changes.

Everything that happens goes through :meth:`World.post`, :meth:`World.edit`, :meth:`World.delete`,
which tell the bots (updates) and those who watch (events). No method awaits: one loop, one change
at a time. Rules of who may do what live with the callers: ``methods/`` for bots, ``people.py``
for people.
"""

import random
import time
from collections.abc import Callable, Iterable

from lab.telegram.bots import Bot
from lab.telegram.errors import WorldError
from lab.telegram.events import EventLog
from lab.telegram.faults import Faults
from lab.telegram.files import FileStore
from lab.telegram.model import (
    ADMIN_RIGHTS,
    ANONYMOUS_ADMIN_ID,
    Answer,
    Callback,
    Chat,
    Json,
    Member,
    Message,
    User,
)
from lab.telegram.render import chat_json, member_json, message_json, user_json
from lab.telegram.updates import UpdateFeed
from lab.telegram.view import chat_view, message_view, user_view

USER_ID_FIRST = 5_000_000_001
GROUP_ID_FIRST = -1_001_000_000_001


class World:
    """Users, bots, chats. ``seed`` makes ids, dice and faults repeatable."""

    def __init__(self, *, seed: int = 0, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.rng = random.Random(seed)
        self.faults = Faults(seed)
        self.events = EventLog()
        self.files = FileStore()
        self._clear()

    def _clear(self) -> None:
        self.users: dict[int, User] = {}
        self.bots: dict[int, Bot] = {}
        self.bots_by_token: dict[str, Bot] = {}
        self.groups: dict[int, Chat] = {}
        self.private: dict[tuple[int, int], Chat] = {}
        self.callbacks: dict[str, Callback] = {}
        self.answers: list[Answer] = []
        self._next_user_id = USER_ID_FIRST
        self._group_bots: dict[int, tuple[Bot, ...]] = {}

    def reset(self) -> None:
        """Forgets everybody and everything, faults too. Open polls end empty."""
        for bot in self.bots.values():
            bot.feed.drop_pending()
            bot.feed.close()
        self._clear()
        self.files.clear()
        self.faults.clear()
        self.events.forget()

    # --- who there is ---------------------------------------------------------------------

    def add_user(
        self,
        name: str,
        *,
        user_id: int | None = None,
        username: str | None = None,
        language: str | None = None,
        is_client: bool = False,
        is_technician: bool = False,
    ) -> User:
        """A person; ``name`` may hold a last name after the first space.

        Raises:
            WorldError: The id is taken, or the name is empty.
        """
        first, _, last = name.strip().partition(" ")
        if not first:
            raise WorldError("a person needs a name")
        chosen = user_id or self._next_user_id
        if chosen in self.users:
            raise WorldError(f"user {chosen} exists already")
        self._next_user_id = max(self._next_user_id, chosen + 1)
        user = User(
            id=chosen,
            first_name=first,
            last_name=last.strip() or None,
            username=username,
            language=language,
            is_client=is_client,
            is_technician=is_technician,
        )
        self.users[chosen] = user
        self.tell_user(user)
        if is_client and self.bots:
            self.private_chat(user.id)
        return user

    def add_bot(
        self, *, token: str, username: str, name: str | None = None, privacy: bool = True
    ) -> Bot:
        """A bot; its id is the number before the colon of its token.

        Raises:
            WorldError: The token has no such number, or the id is taken.
        """
        number, colon, secret = token.partition(":")
        if not (number.isdecimal() and colon and secret):
            raise WorldError("a bot token looks like 42:secret")
        if int(number) in self.users:
            raise WorldError(f"user {number} exists already")
        user = User(id=int(number), first_name=name or username, username=username, is_bot=True)
        feed = UpdateFeed(bot_id=user.id, rng=self.rng, faults=self.faults)
        bot = Bot(token=token, user=user, privacy=privacy, feed=feed)
        self.users[user.id] = user
        self.bots[user.id] = bot
        self.bots_by_token[token] = bot
        for person in list(self.users.values()):
            if person.is_client and len(self.bots) == 1:
                self.private_chat(person.id)
        return bot

    def add_group(
        self,
        title: str,
        *,
        chat_id: int | None = None,
        forum: bool = True,
        role: str = "main",
        members: Iterable[int] = (),
        admins: Iterable[int] = (),
    ) -> Chat:
        """A supergroup. Bots among ``admins`` may do everything, topics included.

        Raises:
            WorldError: The id is taken, or somebody named does not exist.
        """
        chosen = chat_id or min([GROUP_ID_FIRST + 1, *self.groups]) - 1
        if chosen in self.groups or chosen >= 0:
            raise WorldError(f"chat id {chosen} cannot be used")
        chat = Chat(id=chosen, type="supergroup", title=title, is_forum=forum, role=role)
        member_ids, admin_ids = list(members), list(admins)
        founders = [self.user(user_id) for user_id in (*admin_ids, *member_ids)]
        self.groups[chosen] = chat
        # Message 1 is never a topic's: thread 1 stands for General, and is refused by name.
        founder = founders[0] if founders else User(id=ANONYMOUS_ADMIN_ID, first_name="Group")
        self.service(chat, founder, {"supergroup_chat_created": True})
        for user_id in member_ids:
            self.set_member(chat, self.user(user_id), "member")
        for user_id in admin_ids:
            self.set_member(chat, self.user(user_id), "administrator", frozenset(ADMIN_RIGHTS))
        self.tell_chat(chat)
        return chat

    def user(self, user_id: int) -> User:
        found = self.users.get(user_id)
        if found is None:
            raise WorldError(f"no user {user_id}")
        return found

    @property
    def first_bot(self) -> Bot:
        """The bot whose private chats the page shows."""
        for bot in self.bots.values():
            return bot
        raise WorldError("there is no bot yet")

    def private_chat(self, user_id: int, bot_id: int | None = None) -> Chat:
        """The chat of a person with a bot (the first one by default), made when it is missing."""
        bot_id = bot_id or self.first_bot.id
        chat = self.private.get((bot_id, user_id))
        if chat is None:
            user = self.user(user_id)
            chat = Chat(
                id=user_id, type="private", title=user.name, role="client", user=user, bot_id=bot_id
            )
            self.private[bot_id, user_id] = chat
            self.tell_chat(chat)
        return chat

    def chat(self, chat_id: int, bot_id: int | None = None) -> Chat:
        """A chat by the id that people see.

        Raises:
            WorldError: There is none.
        """
        if chat_id > 0:
            return self.private_chat(chat_id, bot_id)
        found = self.groups.get(chat_id)
        if found is None:
            raise WorldError(f"no chat {chat_id}")
        return found

    # --- what changes ---------------------------------------------------------------------

    def post(
        self,
        chat: Chat,
        sender: User,
        kind: str,
        body: Json,
        *,
        thread_id: int | None = None,
        reply_to: int | None = None,
        quote: Json | None = None,
        anonymous: bool = False,
        markup: Json | None = None,
        media_group_id: str | None = None,
        protected: bool = False,
        origin: Json | None = None,
        copied_from: tuple[int, int] | None = None,
    ) -> Message:
        """Adds a message and tells everybody. ``body`` must never be changed afterwards."""
        message = Message(
            chat=chat,
            id=len(chat.messages) + 1,
            at=self.clock(),
            sender=sender,
            kind=kind,
            body=body,
            thread_id=thread_id,
            reply_to=reply_to,
            quote=quote,
            anonymous=anonymous,
            markup=markup or None,
            media_group_id=media_group_id,
            protected=protected,
            origin=origin,
            copied_from=copied_from,
        )
        chat.messages.append(message)
        self.events.publish("message", lambda: {"message": message_view(message)})
        self._tell_bots("message", message)
        return message

    def edit(
        self,
        message: Message,
        *,
        body: Json | None = None,
        markup: Json | None = None,
        kind: str | None = None,
    ) -> None:
        """Replaces content and keyboard (``None``: content stays, keyboard goes)."""
        message.kind = kind or message.kind
        if body is not None:
            message.body = body
            message.edited_at = self.clock()
        message.markup = markup or None
        self.events.publish("edit", lambda: {"message": message_view(message)})
        if body is not None:
            self._tell_bots("edited_message", message)

    def delete(self, message: Message) -> None:
        """Nobody is told but those who watch: Telegram sends no update for it."""
        message.deleted = True
        self.events.publish("delete", lambda: {"message": message_view(message)})

    def service(
        self,
        chat: Chat,
        actor: User,
        body: Json,
        *,
        thread_id: int | None = None,
        anonymous: bool = False,
    ) -> Message:
        return self.post(chat, actor, "service", body, thread_id=thread_id, anonymous=anonymous)

    def set_member(
        self,
        chat: Chat,
        user: User,
        status: str,
        rights: frozenset[str] = frozenset(),
        *,
        actor: User | None = None,
        anonymous: bool = False,
    ) -> None:
        """Changes somebody's standing; bots hear of themselves, and of others if they asked."""
        old = chat.members.get(user.id) or Member(user=user, status="left")
        new = Member(user=user, status=status, rights=rights, anonymous=anonymous)
        chat.members[user.id] = new
        self._group_bots.pop(chat.id, None)
        change: Json = {
            "chat": chat_json(chat),
            "from": user_json(actor or user),
            "date": int(self.clock()),
            "old_chat_member": member_json(old),
            "new_chat_member": member_json(new),
        }
        if user.id in self.bots:
            self.bots[user.id].feed.emit("my_chat_member", ("my_member", chat.id), change)
        for bot in self.bots_in(chat):
            if bot.id != user.id:
                bot.feed.emit("chat_member", ("member", chat.id), change)
        self.tell_chat(chat)

    def bots_in(self, chat: Chat) -> tuple[Bot, ...]:
        """The bots that are members of a group now."""
        found = self._group_bots.get(chat.id)
        if found is None:
            found = tuple(bot for bot in self.bots.values() if chat.member(bot.id))
            self._group_bots[chat.id] = found
        return found

    # --- who is told ----------------------------------------------------------------------

    def tell_user(self, user: User) -> None:
        self.events.publish("user", lambda: {"user": user_view(user, self)})

    def tell_chat(self, chat: Chat) -> None:
        self.events.publish("chat", lambda: {"chat": chat_view(chat)})

    def _tell_bots(self, kind: str, message: Message) -> None:
        chat = message.chat
        if chat.user is not None:
            bots: tuple[Bot, ...] = (self.bots[chat.bot_id or 0],)
        else:
            bots = self.bots_in(chat)
        payload: Json | None = None
        for bot in bots:
            if self._sees(bot, message):
                payload = payload or message_json(message)
                bot.feed.emit(kind, ("chat", chat.id), payload)

    def _sees(self, bot: Bot, message: Message) -> bool:
        if message.is_service:
            return True  # of its own doing too
        if message.sender.is_bot:
            return False  # bots do not see bots
        chat = message.chat
        if chat.user is not None or not bot.privacy:
            return True
        member = chat.member(bot.id)
        if member is not None and member.is_admin:
            return True
        return self._addressed(bot, message)

    def _addressed(self, bot: Bot, message: Message) -> bool:
        """What a bot in privacy mode sees: commands for it, and replies to it."""
        text = message.text
        if text.startswith("/"):
            _, at, name = text.split(maxsplit=1)[0].partition("@")
            return not at or name.lower() == (bot.user.username or "").lower()
        replied = message.chat.message(message.reply_to) if message.reply_to else None
        return replied is not None and replied.sender is bot.user
