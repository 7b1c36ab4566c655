"""Mistakes that a run can be seeded with, to see that its checks find them. Tests only."""

from enum import StrEnum


class Bug(StrEnum):
    """What is left out or done wrong."""

    NO_EPOCH = "the commit does not name the epoch and version it is based on"
    NO_UNIQUE_KEY = "the inbox takes the same key twice"
    TIMER_WITHOUT_KEY = "a timer is marked as fired in a later transaction than its message"
    SEND_BEFORE_COMMIT = "effects reach the outbox before the commit that decided them"
    REPEAT_BLINDLY = "a turn whose COMMIT was not answered is written once more"
    LANE_OUT_OF_ORDER = "the outbox reads the rows of a lane newest first"
    INBOX_OUT_OF_ORDER = "a ticket gives two waiting messages the wrong order"
    POISON_SWALLOWED = "a message that is given up is not kept"
    MESSAGE_DROPPED = "an inbox forgets a message that it has acknowledged"
    FOREIGN_SENDER = "a run sends what belongs to another run's ticket"
    NOT_MARKED = "a call is made without marking its row first"
    DEAD_KEEP_TICKETS = "the tickets of a dead run are not taken over"
    HISTORY_OF_NOTHING = "a topic that was deleted is not made anew"
