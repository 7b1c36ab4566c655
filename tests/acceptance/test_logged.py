"""What the program logs of people's work: that it was done, and nothing of what was said."""

import pytest

from tests.acceptance.desk import Helpdesk

pytestmark = pytest.mark.anyio

WORDS = "сиреневый слон стучит в дверь"


async def test_what_people_write_and_what_they_are_called_is_not_logged(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan, f"Клиент: {WORDS}")
    await desk.assigns(case, "alice")
    await desk.staff_writes(case, f"Сотрудник: {WORDS}")
    await desk.technician_writes(case, "alice", f"Техник: {WORDS}")
    await desk.settles()
    await desk.closes(case)
    assert len(desk.logged("message_handled")) >= 4
    assert desk.logged("effect_sent")
    world = await desk.lab.world()
    names = [user["name"] for user in world["users"] if user["id"] in {desk.ivan, desk.maria}]
    assert len(names) == 2
    for line in desk.logs:
        assert WORDS not in str(line), line
        for name in names:
            assert name not in str(line), line
