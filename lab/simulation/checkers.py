"""What must hold after each transaction and at each call, whatever goes wrong around it."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from actors.effects import RenameTopic
from actors.ids import TicketId
from actors.messages import TimerFired
from actors.nodes import NodeIdentity, NodeStatus
from actors.ports import OutboxRow
from lab.simulation.rows import InboxRow, NodeRow, SendRow, SendState, TicketRow, TimerRow
from lab.simulation.table import Change
from lab.simulation.trace import Trace
from lab.simulation.world import Commit, World

ONE_WRITER = "a ticket's versions have one writer each, its owner at that time"
ONCE = "each stored message changes its ticket once, in inbox order"
NO_GAPS = "a ticket's inbox has no gaps"
ONE_CAUSE = "one cause is stored once"
GATE = "nothing is sent before the commit that decided it"
OWNER_SENDS = "only a living run that owns the ticket begins to send for it"
MARKED = "no call is made without being marked first"
DOUBLES = "nothing is sent twice unless it was uncertain whether it had been sent"
LANE_ORDER = "what goes to one place goes in the order in which it was decided"
TIMERS = "a timer fires once, and not before it is due"
OPEN_TICKETS = "a client has one open ticket at most"
FINAL = "what is settled stays so"
STOPS_FIRST = "a run stops by itself before others may declare it dead"
LEASE_HOLDER = "a lease that another run holds is not renewed"
JOINED = "a ticket is handed over when nothing of it is under way any more"
STANDS = "what a node takes for handled is stored as handled"
PROMPT = "a message that was told where it belongs does not wait for the poll"

PROMPT_S = 0.6
"""Well over what turns take, and under the poll that finds what nobody was told of."""


class Machine(Protocol):
    """A process of a node, as it knows itself."""

    @property
    def serves(self) -> bool: ...
    @property
    def owner(self) -> str: ...
    @property
    def process(self) -> str: ...
    @property
    def busy(self) -> Collection[TicketId]: ...


class Checkers:
    """Watches the world's transactions and Telegram's calls; the first broken promise ends all.

    Nothing here looks at how the stores work: only at rows before and after, and at calls.
    """

    def __init__(self, world: World, trace: Trace, *, is_calm: bool) -> None:
        self._world = world
        self._trace = trace
        self._is_calm = is_calm
        self._told: set[int] = set()
        self.machines: Mapping[str, Machine] = {}
        """The processes that run, by the names of their nodes."""
        self._keys: set[str] = set()
        self._marks: Counter[tuple[int, str]] = Counter()
        self.sent: Counter[int] = Counter()
        """How often each row of the outbox had its effect in Telegram."""
        self.commits = 0

    # --- transactions -----------------------------------------------------------------------

    def committed(self, commit: Commit) -> None:
        self.commits += 1
        for change in commit.changes:
            match change.after or change.before:
                case TicketRow():
                    self._ticket(commit, change)
                case InboxRow():
                    self._inbox(commit, change)
                case SendRow():
                    self._outbox(commit, change)
                case NodeRow():
                    self._node(commit, change)

    def _ticket(self, commit: Commit, change: Change) -> None:
        before: TicketRow | None = change.before
        after: TicketRow = change.after
        if before is None:
            return
        changed_hands = after.owner != before.owner
        if after.epoch < before.epoch or (changed_hands and after.epoch == before.epoch):
            detail = f"epoch {before.epoch} → {after.epoch}, owner {before.owner} → {after.owner}"
            self._fail(ONE_WRITER, detail, after.id)
        if changed_hands and commit.what == "hand_over":
            machine = self._machine(commit.by)
            if machine is not None and after.id in machine.busy:
                self._fail(JOINED, f"{before.owner} → {after.owner}", after.id)
        if after.version == before.version:
            if (after.state, after.handled_seq) != (before.state, before.handled_seq):
                self._fail(ONE_WRITER, "the state changed without a version", after.id)
            return
        if after.version != before.version + 1:
            self._fail(ONE_WRITER, f"version {before.version} → {after.version}", after.id)
        run = (before.owner or "").partition("/")[0]
        if run != commit.by.partition(".")[0]:
            self._fail(ONE_WRITER, f"{commit.by} wrote what {before.owner} owns", after.id)
        if after.handled_seq <= before.handled_seq:
            detail = f"handled {after.handled_seq} after {before.handled_seq}"
            self._fail(ONCE, detail, after.id)
        lane = self._world.lanes[after.id]
        if after.handled_seq >= lane.next_seq:
            self._fail(ONCE, f"handled {after.handled_seq}, which is not stored", after.id)

    def _inbox(self, commit: Commit, change: Change) -> None:
        before: InboxRow | None = change.before
        after: InboxRow | None = change.after
        ticket = (after or before or change.after).ticket_id or 0
        if after is None:
            self._fail(ONCE, f"inbox row {change.key} is gone", ticket)
        elif before is None:
            if after.key in self._keys:
                self._fail(ONE_CAUSE, f"{after.key} again as seq {after.seq}", ticket)
            self._keys.add(after.key)
            lane = None if after.ticket_id is None else self._world.lanes[after.ticket_id]
            if lane is not None and (after.seq is None or after.seq >= lane.next_seq):
                self._fail(NO_GAPS, f"seq {after.seq} of {lane.next_seq - 1}", ticket)
            if isinstance(after.message, TimerFired):
                self._timer_fired(commit, after)
            self._note_told(after)
        elif before.handled_at is not None:
            self._fail(ONCE, f"seq {after.seq} was handled before", ticket)
        elif after.id in self._told and commit.at > after.received_at + PROMPT_S:
            waited = commit.at - after.received_at
            self._fail(PROMPT, f"seq {after.seq} ({after.key}) waited {waited:.3f} s", ticket)

    def _note_told(self, letter: InboxRow) -> None:
        """Whoever stores a message tells its ticket's owner, if there is one.

        What moves to the next ticket is told to nobody but the run that moved it.
        """
        owner = None
        if letter.ticket_id is not None and not letter.key.startswith("moved:"):
            owner = self._world.tickets[letter.ticket_id].owner
        if self._is_calm and self._world.lives(owner):
            self._told.add(letter.id)

    def _timer_fired(self, commit: Commit, letter: InboxRow) -> None:
        """The timer is disarmed in the very transaction that stores its message."""
        fired: list[TimerRow] = [
            change.before
            for change in commit.changes
            if isinstance(change.after, TimerRow)
            and isinstance(change.before, TimerRow)
            and change.after.ticket_id == letter.ticket_id
            and change.before.due_at is not None
            and change.after.due_at is None
        ]
        if not fired:
            self._fail(TIMERS, f"{letter.key} of a timer that stays armed", letter.ticket_id)
        elif any(row.due_at is None or row.due_at > commit.at for row in fired):
            self._fail(TIMERS, f"{letter.key} before its time", letter.ticket_id)

    def _outbox(self, commit: Commit, change: Change) -> None:
        before: SendRow | None = change.before
        after: SendRow = change.after
        ticket = self._world.tickets[after.ticket_id]
        if before is None:
            if after.cause_seq > ticket.handled_seq:
                detail = f"row {after.id} is of seq {after.cause_seq}, which is not handled"
                self._fail(GATE, detail, after.ticket_id)
            return
        if before.is_settled:
            self._fail(FINAL, f"row {after.id} was {before.state}", after.ticket_id)
        if after.state is SendState.SENDING and after.attempts > before.attempts:
            self._marks[after.id, commit.by] += 1
            if ticket.owner != after.started_by or not self._world.lives(ticket.owner):
                detail = f"row {after.id}: {after.started_by} begins, {ticket.owner} owns"
                self._fail(OWNER_SENDS, detail, after.ticket_id)

    # --- nodes ------------------------------------------------------------------------------

    def _node(self, commit: Commit, change: Change) -> None:
        before: NodeRow | None = change.before
        after: NodeRow = change.after
        if commit.what != "declare_dead" or before is None or after.status is not NodeStatus.DEAD:
            return
        machine = self.machines.get(after.name)
        if machine is not None and machine.serves and machine.owner == after.owner:
            self._fail(STOPS_FIRST, f"{commit.by} ends {after.owner}, which serves", 0)

    def leased(self, node: NodeIdentity, before: str | None) -> None:
        """A lease was taken or extended; ``before`` is whose valid lease it was."""
        if before and before != node.incarnation:
            self._fail(LEASE_HOLDER, f"{node.owner} takes that of {node.name}/{before}", 0)

    def handled(self, process: str, ticket_id: TicketId, seq: int) -> None:
        """A process says that it has handled a message."""
        if seq > self._world.tickets[ticket_id].handled_seq:
            self._fail(STANDS, f"{process} takes seq {seq} for handled", ticket_id)

    def _machine(self, process: str) -> Machine | None:
        machine = self.machines.get(process.partition(".")[0])
        return machine if machine is not None and machine.process == process else None

    # --- calls ------------------------------------------------------------------------------

    def arrived(self, row: OutboxRow, run: str) -> None:
        """A call reached Telegram."""
        if not self._marks[row.id, run]:
            self._fail(MARKED, f"{run} calls for row {row.id}", row.ticket_id)
        self._marks[row.id, run] -= 1

    def landed(self, row: OutboxRow, run: str) -> None:
        """A call had its effect."""
        self.sent[row.id] += 1
        stored = self._world.outbox[row.id]
        if self.sent[row.id] > 1 + stored.doubts:
            detail = f"row {row.id}, {self.sent[row.id]} times; last by {run}"
            self._fail(DOUBLES, detail, row.ticket_id)
        if self.sent[row.id] == 1:
            for other in self._world.outbox.group("lane", row.lane):
                earlier = other.id < row.id and other.position == stored.position
                may_pass = isinstance(other.effect, RenameTopic)  # a title is decoration
                if earlier and not self.sent[other.id] and not may_pass:
                    detail = f"row {row.id} overtakes row {other.id} in {row.lane}"
                    self._fail(LANE_ORDER, detail, row.ticket_id)

    def _fail(self, promise: str, detail: str, ticket: Any) -> None:
        self._trace.fail(promise, detail, ticket or 0)
