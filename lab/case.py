"""A whole support case, played by people in the local Telegram and checked in every chat."""

from collections.abc import Callable
from dataclasses import dataclass, field

from actors.errors import TopicdeskError
from lab.telegram.client import LabClient, Object
from lab.telegram.scene import Scene

type Say = Callable[[str], None]

CAPTION = "Вот фото ошибки"


class CaseFailed(TopicdeskError):
    """A chat does not show what it should; the text says which and what."""


@dataclass
class Case:
    """Plays step by step. Each step waits for what it must cause, with a deadline."""

    lab: LabClient
    scene: Scene
    say: Say
    timeout: float = 15.0
    client: int = 0
    topic: int = 0
    mirror: int = 0
    number: str = ""
    """The ticket's, as the receipt says it."""
    card: Object = field(default_factory=dict)

    async def play(self) -> None:
        """From the first message to the thanks for the survey.

        Raises:
            CaseFailed: Something did not arrive, or arrived where it must not.
        """
        self.client = self.client or self.scene.ivan_id
        try:
            await self.opens()
            await self.assigns()
            await self.talks()
            await self.keeps_notes_inside()
            await self.sends_media()
            await self.closes()
            await self.answers_the_survey()
        except TimeoutError as error:
            raise CaseFailed(str(error)) from error

    async def opens(self) -> None:
        """The client writes; a topic opens with the card and the message."""
        lab, main = self.lab, self.scene.main_group_id
        await self._writes(self.client, self.client, "Здравствуйте! Принтер не печатает.")
        topic = await lab.wait_topic(main, "🟢 [Новый]", timeout=self.timeout)
        self.topic = topic["thread_id"]
        self.say(f"  ⤷ main group: topic “{topic['name']}”")
        self.card = await self._sees(main, "👤", self.topic)
        names = [b["text"] for row in self.card["buttons"] or [] for b in row]
        _check("alice" in names and "bob" in names, f"a button per technician: {names}")
        await self._sees(main, "Принтер не печатает", self.topic)
        await self._sees(self.client, "Приняли вашу заявку")

    async def assigns(self) -> None:
        """A press assigns; the mirror topic opens with what was said; the title follows."""
        main, alice = self.scene.main_group_id, self.scene.alice_group_id
        await self._presses(self.scene.maria_id, main, self.card["message_id"], "alice")
        await self.lab.wait_topic(main, "🟡 [В работе | @alice]", timeout=self.timeout)
        mirror = await self.lab.wait_topic(alice, f"#{self.number}", timeout=self.timeout)
        self.mirror = mirror["thread_id"]
        self.say(f"  ⤷ alice's group: topic “{mirror['name']}”")
        await self._sees(alice, "Принтер не печатает", self.mirror)

    async def talks(self) -> None:
        """Everybody reads everybody; the client sees no technician's name."""
        main, alice = self.scene.main_group_id, self.scene.alice_group_id
        await self._writes(self.scene.alice_id, alice, "Какая модель?", self.mirror)
        seen = await self._sees(self.client, "Какая модель?")
        _check(seen["text"] == "Какая модель?", "the client sees the words alone")
        await self._sees(main, "Какая модель?", self.topic)
        await self._writes(self.client, self.client, "Модель 4250, пишет «замятие».")
        await self._sees(main, "Модель 4250", self.topic)
        await self._sees(alice, "Модель 4250", self.mirror)
        await self._writes(self.scene.maria_id, main, "Мастер будет сегодня до 18:00.", self.topic)
        await self._sees(self.client, "Мастер будет сегодня")
        await self._sees(alice, "Мастер будет сегодня", self.mirror)

    async def keeps_notes_inside(self) -> None:
        """Notes and calls stay among the staff."""
        main, alice = self.scene.main_group_id, self.scene.alice_group_id
        await self._writes(self.scene.maria_id, main, "// клиент важный, не затягиваем", self.topic)
        await self._writes(self.scene.alice_id, alice, "@bob помоги с роликами", self.mirror)
        await self._sees(main, "@bob помоги", self.topic)

    async def sends_media(self) -> None:
        """A photo with a caption reaches both topics; a voice message reaches the client."""
        main, alice = self.scene.main_group_id, self.scene.alice_group_id
        await self.lab.send(self.client, self.client, CAPTION, kind="photo")
        self.say(f"{self._name(self.client)}: [photo] {CAPTION}")
        for chat, thread in ((main, self.topic), (alice, self.mirror)):
            seen = await self._sees(chat, lambda m: m["kind"] == "photo", thread)
            _check(seen["text"] == CAPTION, "a photo keeps its caption")
        await self.lab.send(self.scene.alice_id, alice, kind="voice", thread=self.mirror)
        self.say(f"{self._name(self.scene.alice_id)}: [voice]")
        await self._sees(self.client, lambda m: m["kind"] == "voice")

    async def closes(self) -> None:
        """Closing closes both topics; nothing inside ever reached the client."""
        main, alice = self.scene.main_group_id, self.scene.alice_group_id
        await self._presses(self.scene.maria_id, main, self.card["message_id"], "Закрыть")
        for chat in (main, alice):
            closed = await self.lab.wait_topic(
                chat, lambda t: t["closed"] and f"#{self.number}" in t["name"], timeout=self.timeout
            )
            _check(closed["name"].startswith("🟣 [Закрыт | @alice]"), closed["name"])
            self.say(f"  ⤷ closed: “{closed['name']}”")
        said = [message["text"] for message in await self.lab.messages(self.client)]
        for secret in ("не затягиваем", "@bob", "alice"):
            _check(not any(secret in text for text in said), f"the client never sees “{secret}”")

    async def answers_the_survey(self) -> None:
        """Three marks on one message that changes, then a comment; a summary for the staff."""
        question = await self._sees(self.client, "1/3")
        number = question["message_id"]
        for mark, following in (("5", "2/3"), ("4", "3/3"), ("5", "улучшить")):
            await self._presses(self.client, self.client, number, mark)
            changed = await self._sees(self.client, following)
            _check(changed["message_id"] == number, "the survey is one message that changes")
        await self._writes(self.client, self.client, "Хотелось бы быстрее")
        await self._sees(self.client, "Спасибо! Ваши ответы")
        await self._sees(self.scene.main_group_id, "Хотелось бы быстрее", self.topic)

    # --- what people do and see ---------------------------------------------------------------

    async def _writes(self, user: int, chat: int, text: str, thread: int | None = None) -> None:
        await self.lab.send(user, chat, text, thread=thread)
        self.say(f"{self._name(user)}: {text}")

    async def _presses(self, user: int, chat: int, message_id: int, button: str) -> None:
        message = next(m for m in await self.lab.messages(chat) if m["message_id"] == message_id)
        texts = [b["text"] for row in message["buttons"] or [] for b in row]
        label = next((text for text in texts if button in text), None)
        _check(label is not None, f"no button “{button}” among {texts}")
        query = await self.lab.press(user, chat, message_id, text=label)
        self.say(f"{self._name(user)} presses [{label}]")
        await self.lab.wait_answer(query, self.timeout)

    async def _sees(
        self, chat: int, matches: str | Callable[[Object], bool], thread: int | None = None
    ) -> Object:
        """A message of the bot in that chat."""

        def fits(message: Object) -> bool:
            if not message["from"]["is_bot"] or message["service"] is not None:
                return False
            return matches in message["text"] if isinstance(matches, str) else matches(message)

        found = await self.lab.wait_message(chat, fits, thread=thread, timeout=self.timeout)
        if "Приняли" in found["text"]:
            self.number = "".join(c for c in found["text"].split("№")[1] if c.isdigit())
        lines = [line for line in found["text"].splitlines() if line]
        shown = " ".join(lines[:2]) or f"[{found['kind']}]"
        self.say(f"  ⤷ {self._where(chat)}: {shown}")
        return found

    def _name(self, user: int) -> str:
        names = {
            self.scene.maria_id: "Мария (staff)",
            self.scene.alice_id: "alice (technician)",
            self.scene.bob_id: "bob (technician)",
        }
        return names.get(user, "client")

    def _where(self, chat: int) -> str:
        groups = {
            self.scene.main_group_id: "main group",
            self.scene.alice_group_id: "alice's group",
            self.scene.bob_group_id: "bob's group",
        }
        return groups.get(chat, "client's chat")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise CaseFailed(what)
