"""A node that does not serve says why, and what it waits for."""

import pytest

from bootstrap.readiness import STOPPING, reasons
from supervisor.node import NodeState


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (NodeState.STARTING, "the node is starting: Postgres has not taken it on for 12 s"),
        (NodeState.PAUSED, "the node is paused: Postgres has not taken its beat for 12 s"),
        (NodeState.DRAINING, "the node is draining: it finishes its work"),
        (NodeState.ENDED, "the node has ended"),
    ],
)
def test_each_state_but_serving_is_a_reason_in_words(state: NodeState, says: str) -> None:
    [why] = reasons(state, 12.3, stopping=False)
    assert why.startswith(says)
    assert reasons(state, 12.3, stopping=True) == (STOPPING,)


def test_a_node_that_serves_has_no_reason_not_to() -> None:
    assert reasons(NodeState.SERVING, 3.0, stopping=False) == ()
