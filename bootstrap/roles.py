"""Work that one node at a time does for all."""

from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskStatus

from actors.nodes import Role
from supervisor.node import Node


async def while_holding(
    node: Node,
    role: Role,
    work: Callable[[], Awaitable[None]],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Does ``work`` whenever the node holds the role, until cancelled.

    The work is cancelled when the role goes, and begun again when it comes back. An error of the
    work ends this with it.
    """
    task_status.started()
    while True:
        while not node.holds(role):
            await node.role_changed()
        async with anyio.create_task_group() as group:
            group.start_soon(_do, work, group.cancel_scope, name=f"role {role}")
            while node.holds(role):
                await node.role_changed()
            group.cancel_scope.cancel()


async def _do(work: Callable[[], Awaitable[None]], rest: anyio.CancelScope) -> None:
    """Work that ends by itself is begun again: the role is still there."""
    await work()
    rest.cancel()
