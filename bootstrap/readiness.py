"""Why a node does not serve, in words for whoever reads ``/readyz`` at night."""

from typing import assert_never

from supervisor.node import NodeState

POSTGRES: str = "Postgres does not answer"

STOPPING: str = "the program is stopping"


def reasons(state: NodeState, beat_age_s: float, *, stopping: bool) -> tuple[str, ...]:
    """As far as the node knows by itself; empty when it serves.

    A node that pauses or ends is no reason for a restart: it says what it waits for.
    """
    if stopping:
        return (STOPPING,)
    match state:
        case NodeState.SERVING:
            return ()
        case NodeState.STARTING:
            why = f"the node is starting: Postgres has not taken it on for {beat_age_s:.0f} s"
        case NodeState.PAUSED:
            why = (
                f"the node is paused: Postgres has not taken its beat for {beat_age_s:.0f} s; "
                "it goes on by itself when Postgres does"
            )
        case NodeState.DRAINING:
            why = "the node is draining: it finishes its work and gives its tickets to others"
        case NodeState.ENDED:
            why = "the node has ended: it has given all its tickets away"
        case _:
            assert_never(state)
    return (why,)
