"""Mistakes that a run can be seeded with, to see that its checks find them. Tests only."""

from enum import StrEnum


class Bug(StrEnum):
    """What is left out or done wrong."""

    NO_EPOCH = "the commit does not name the epoch that it is based on"
    NO_UNIQUE_KEY = "the inbox takes the same key twice"
    EARLY_ACKNOWLEDGEMENT = "an update is acknowledged before the transaction that stores it"
    TIMER_WITHOUT_KEY = "a timer is marked as fired in a later transaction than its message"
    LOST_HINT = "of several messages that are told at once the last is not told"
    LEASE_MARGIN = "a run is declared dead before it must have stopped by itself"
    SEND_BEFORE_COMMIT = "effects reach the outbox before the commit that decided them"
    NO_REREAD = "a turn whose COMMIT was not answered is taken for written"
    STOLEN_LEASE = "a lease is renewed whoever holds it"
    HASTY_HAND_OVER = "tickets are handed over while their turns are under way"
    LANE_OUT_OF_ORDER = "the outbox reads the rows of a lane newest first"
    POISON_SWALLOWED = "a message that is given up is not kept"

    # Not among the twelve that a run must find, and found as well.
    INBOX_OUT_OF_ORDER = "a ticket gives two waiting messages the wrong order"
    MESSAGE_DROPPED = "an inbox forgets a message that it has acknowledged"
    FOREIGN_SENDER = "a run sends what belongs to another run's ticket"
    NOT_MARKED = "a call is made without marking its row first"
    DEAD_KEEP_TICKETS = "the tickets of a dead run are not taken over"
    HISTORY_OF_NOTHING = "a topic that was deleted is not made anew"
