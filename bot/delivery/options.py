"""Every bound of delivery, with its reason."""

from dataclasses import dataclass, field

from bot.delivery.shares import ShareOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """How much at once, how long, how often. Times in seconds."""

    in_flight_max: int = 64
    """Calls at once; Telegram's own limits are far below."""

    press_reserve: int = 8
    """Calls more for buttons only: they never wait behind messages."""

    rows_per_lane: int = 16
    """Rows of a lane read together: enough to see a newer title, few enough to be fair."""

    joined_max: int = 128
    """Rows of a lane read together to be joined; few lanes at a time are."""

    crowded_s: float = 10.0
    """Texts are joined for so long after a chat's budget was spent: what it left waits still."""

    title_gap_s: float = 20.0
    """Between two titles of one topic; nobody reads them faster, and they cost what texts do."""

    album_wait_s: float = 0.8
    """For the rest of an album: its parts come one by one, and none says that it is the last."""

    first_wait_s: float = 1.0
    """For the rest of what a new client has to say, when the group's budget is short."""

    first_wait_max_s: float = 3.0
    """Even if they go on writing."""

    shares: ShareOptions = field(default_factory=ShareOptions)

    rows_max: int = 1024
    """Rows of announced lanes in one reading."""

    lanes_max: int = 5000
    """Lanes that the poll sees, one row each: so that no jammed group hides the others from it."""

    poll_interval_s: float = 1.0
    """How long a lost hint can delay a message."""

    group_max: int = 64
    """Rows in one transaction when starts and outcomes are recorded."""

    retry_base_s: float = 0.5
    """First wait after a failure that may pass; doubles each time."""

    retry_max_s: float = 60.0
    """Telegram is tried again at least this often while it is in trouble."""

    closed_base_s: float = 5.0
    """First wait for a group that does not let the bot in; somebody has to mend it."""

    closed_max_s: float = 300.0
    """A mended group is noticed within this time."""

    refused_s: float = 0.2
    """After a group refused a topic: its ticket may have another group already."""

    unrecorded_max_s: float = 60.0
    """An outcome that cannot be recorded, although Postgres is there, is tried again this often."""

    topics_lost_max: int = 5
    """Topics made anew in a row, each lost again, before their lane waits as for a closed group."""

    transient_wait_s: float = 0.2
    """Between two tries to record what came of a call while Postgres is away."""

    drain_timeout_s: float = 10.0
    """How long calls under way may take to finish when the program stops."""
