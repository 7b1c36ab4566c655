"""The main scenarios, each as a prelude and what a sweep looks at."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from lab.simulation.decisions import POISON
from lab.simulation.script import CLIENT, Script

HOUR_S = 3600.0
"""A run of this length has no timer that fires."""

SHORT_S = 10.0
"""In a run of this length a day of a timer is over in seconds."""

ALMOST_DEAD_S = 14.0
"""A node without a beat for so long will soon be declared dead."""

type Act = Callable[[Script], Awaitable[None]]


async def _nothing(_script: Script) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``prelude`` runs in peace; processes of ``victim`` may crash during ``act``."""

    prelude: Act = _nothing
    act: Act
    nodes: int = 1
    victim: str = "node-1"
    duration_s: float = HOUR_S


# --- preludes -------------------------------------------------------------------------------


async def new_ticket(script: Script) -> None:
    script.client_writes("it does not work")
    await script.settle()


async def assigned(script: Script) -> None:
    await new_ticket(script)
    script.assign(1)
    await script.settle()


async def closed(script: Script) -> None:
    await new_ticket(script)
    script.close()
    await script.settle()


async def comment_asked(script: Script) -> None:
    await closed(script)
    for question in (1, 2, 3):
        script.score(question, 3)
        await script.settle()


# --- acts -----------------------------------------------------------------------------------


async def two_at_once(script: Script) -> None:
    script.client_writes("first")
    script.client_writes("second")
    await script.settle()


async def assign(script: Script) -> None:
    script.assign(1)
    await script.settle()


async def assign_twice(script: Script) -> None:
    """Two buttons of the same card, one right after the other."""
    script.assign(1, generation=0)
    script.assign(2, generation=0)
    await script.settle()


async def reassign(script: Script) -> None:
    script.assign(2)
    await script.settle()


async def technician_writes(script: Script) -> None:
    script.technician_writes(1, "which model is it?")
    script.technician_writes(1, "and since when?")
    await script.settle()


async def staff_write(script: Script) -> None:
    script.staff_write("we are looking")
    await script.settle()


async def client_writes(script: Script) -> None:
    script.client_writes("still broken")
    await script.settle()


async def note(script: Script) -> None:
    script.staff_write("// knows the house")
    await script.settle()


async def call(script: Script) -> None:
    script.staff_write("@specialist help with this one")
    await script.settle()


async def close(script: Script) -> None:
    script.close()
    await script.settle()


async def fives(script: Script) -> None:
    for question in (1, 2, 3):
        script.score(question, 5)
        await script.settle()


async def comment(script: Script) -> None:
    script.score(1, 5)
    await script.settle()
    script.score(2, 4)
    await script.settle()
    script.score(3, 5)
    await script.settle()
    script.client_writes("be faster")
    await script.settle()


async def comment_skipped(script: Script) -> None:
    script.skip_comment()
    await script.settle()


async def timed_out(script: Script) -> None:
    await script.settle_with_timers()


async def write_after_close(script: Script) -> None:
    script.client_writes("again")
    script.client_writes("and more")
    await script.settle()


async def close_and_write(script: Script) -> None:
    """The client's message comes right behind the order to close the ticket."""
    script.close(told_with=CLIENT.id)
    script.client_writes("wait, one more thing")
    await script.settle()


async def topic_deleted(script: Script) -> None:
    script.delete_topic()
    script.client_writes("is anybody there?")
    await script.settle()


async def undeliverable(script: Script) -> None:
    script.client_blocks()
    script.staff_write("are you there?")
    await script.settle()


async def poison(script: Script) -> None:
    script.client_writes(f"{POISON} pill")
    script.client_writes("and then this")
    await script.settle()


async def hand_over(script: Script) -> None:
    """The node that has the ticket is stopped while a message is on its way."""
    script.client_writes("on the way")
    await script.stage.fleet.machines["node-1"].drain()
    script.client_writes("and after")
    await script.settle()


async def left_behind(script: Script) -> None:
    """A node has crashed with a message stored, and has just been started again."""
    await new_ticket(script)
    script.client_writes("while you were away")
    await script.told()
    script.stage.fleet.start("node-1")


async def second_node(script: Script) -> None:
    await new_ticket(script)
    await script.start("node-2")


async def almost_dead(script: Script) -> None:
    """The owner is gone for good, and the other will find out in a moment."""
    await second_node(script)
    script.down.add("node-1")
    script.stage.fleet.machines["node-1"].life.kill()
    script.client_writes("does anybody read this?")
    await anyio.sleep(ALMOST_DEAD_S)


SCENARIOS: dict[str, Scenario] = {
    "new ticket": Scenario(act=new_ticket),
    "two messages at once": Scenario(act=two_at_once),
    "assignment": Scenario(prelude=new_ticket, act=assign),
    "double assignment": Scenario(prelude=new_ticket, act=assign_twice),
    "reassignment": Scenario(prelude=assigned, act=reassign),
    "client writes": Scenario(prelude=assigned, act=client_writes),
    "technician writes": Scenario(prelude=assigned, act=technician_writes),
    "staff write": Scenario(prelude=assigned, act=staff_write),
    "note": Scenario(prelude=new_ticket, act=note),
    "call": Scenario(prelude=new_ticket, act=call),
    "close": Scenario(prelude=assigned, act=close),
    "survey with fives": Scenario(prelude=closed, act=fives),
    "survey with comment": Scenario(prelude=closed, act=comment),
    "comment skipped": Scenario(prelude=comment_asked, act=comment_skipped),
    "survey timed out": Scenario(prelude=closed, act=timed_out, duration_s=SHORT_S),
    "message after close": Scenario(prelude=closed, act=write_after_close),
    "message meets close": Scenario(prelude=new_ticket, act=close_and_write),
    "topic deleted by hand": Scenario(prelude=new_ticket, act=topic_deleted),
    "undeliverable": Scenario(prelude=new_ticket, act=undeliverable),
    "poison message": Scenario(prelude=new_ticket, act=poison),
    "hand-over": Scenario(prelude=second_node, act=hand_over, nodes=2),
    "start after a crash": Scenario(prelude=left_behind, act=Script.settle),
    "takeover": Scenario(prelude=almost_dead, act=Script.settle, nodes=2, victim="node-2"),
}
"""By name. What people do in them, the product does every day."""
