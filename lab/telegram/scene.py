"""A small helpdesk to begin with: a main group, two technicians with their groups, two clients.

Ids never change, so that settings can be written down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from lab.telegram.world import World

MAIN_GROUP_ID = -1001000000001
ALICE_GROUP_ID = -1001000000002
BOB_GROUP_ID = -1001000000003

MARIA_ID = 5000000001
ALICE_ID = 5000000002
BOB_ID = 5000000003
IVAN_ID = 5000000011
EMMA_ID = 5000000012


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who is who. ``settings`` needs the address under which the local Telegram is reached."""

    bot_token: str
    bot_id: int
    main_group_id: int = MAIN_GROUP_ID
    alice_group_id: int = ALICE_GROUP_ID
    bob_group_id: int = BOB_GROUP_ID
    maria_id: int = MARIA_ID
    alice_id: int = ALICE_ID
    bob_id: int = BOB_ID
    ivan_id: int = IVAN_ID
    emma_id: int = EMMA_ID
    helper_tokens: tuple[str, ...] = ()

    def settings(self, url: str) -> dict[str, str]:
        """The bot's settings for this scene, by the names of the environment."""
        technicians = {
            "alice": {"chat_id": self.alice_group_id, "user_id": self.alice_id},
            "bob": {"chat_id": self.bob_group_id, "user_id": self.bob_id},
        }
        helpers = {"HELPER_BOT_TOKENS": ",".join(self.helper_tokens)} if self.helper_tokens else {}
        return {
            "BOT_TOKEN": self.bot_token,
            "TELEGRAM_API_URL": url,
            "MAIN_GROUP_ID": str(self.main_group_id),
            "TECH_GROUPS_MAPPING": orjson.dumps(technicians).decode(),
            "ADMIN_IDS": str(self.maria_id),
            **helpers,
        }


def demo_scene(world: World, bot_token: str, helper_tokens: Sequence[str] = ()) -> Scene:
    """Fills an empty world; helper bots are plain members of all groups."""
    bot = world.add_bot(
        token=bot_token, username="topicdesk_demo_bot", name="Topicdesk", privacy=False
    )
    world.add_user("Мария", user_id=MARIA_ID, username="maria", language="ru")
    world.add_user("Alice", user_id=ALICE_ID, username="alice", language="en", is_technician=True)
    world.add_user("Bob", user_id=BOB_ID, username="bob", language="ru", is_technician=True)
    world.add_user("Иван", user_id=IVAN_ID, username="ivan", language="ru", is_client=True)
    world.add_user("Emma", user_id=EMMA_ID, language="en", is_client=True)
    world.add_group("Поддержка", chat_id=MAIN_GROUP_ID, role="main", admins=[MARIA_ID, bot.id])
    world.add_group("Alice", chat_id=ALICE_GROUP_ID, role="tech", admins=[ALICE_ID, bot.id])
    world.add_group("Bob", chat_id=BOB_GROUP_ID, role="tech", admins=[BOB_ID, bot.id])
    for number, token in enumerate(helper_tokens, start=1):
        helper = world.add_bot(token=token, username=f"topicdesk_helper_{number}_bot")
        for group in world.groups.values():
            world.set_member(group, helper.user, "member")
    return Scene(bot_token=bot_token, bot_id=bot.id, helper_tokens=tuple(helper_tokens))
