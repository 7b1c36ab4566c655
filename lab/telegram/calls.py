"""A log of the calls that bots made, for checkers and benchmarks."""

from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice

from lab.telegram.model import Json

CALLS_KEPT_MAX = 200_000


@dataclass(slots=True, frozen=True)
class CallRecord:
    """One call. ``code`` is 200 or the error's; ``at`` is Unix time at the answer."""

    seq: int
    at: float
    took_s: float
    bot_id: int
    method: str
    chat_id: object
    thread_id: object
    code: int
    description: str | None
    fault: str | None

    def as_json(self) -> Json:
        return {
            "seq": self.seq,
            "at": self.at,
            "took_s": self.took_s,
            "bot_id": self.bot_id,
            "method": self.method,
            "chat_id": self.chat_id,
            "thread_id": self.thread_id,
            "ok": self.code == _OK,
            "code": self.code,
            "description": self.description,
            "fault": self.fault,
        }


_OK = 200


class CallLog:
    """The newest calls, and counts of all."""

    def __init__(self) -> None:
        self._records: deque[CallRecord] = deque(maxlen=CALLS_KEPT_MAX)
        self._last = 0
        self.by_method: Counter[str] = Counter()
        self.by_code: Counter[int] = Counter()

    def add(
        self,
        *,
        at: float,
        took_s: float,
        bot_id: int,
        method: str,
        given: dict[str, object],
        code: int = _OK,
        description: str | None = None,
        fault: str | None = None,
    ) -> None:
        self._last += 1
        self.by_method[method] += 1
        self.by_code[code] += 1
        chat_id, thread_id = given.get("chat_id"), given.get("message_thread_id")
        self._records.append(
            CallRecord(
                self._last, at, took_s, bot_id, method, chat_id, thread_id, code, description, fault
            )
        )

    def after(self, seq: int, limit: int = 10_000) -> list[CallRecord]:
        """Calls later than ``seq``, oldest first."""
        if not self._records:
            return []
        skipped = max(seq + 1 - self._records[0].seq, 0)
        return list(islice(self._records, skipped, skipped + limit))

    def clear(self) -> None:
        """Forgets the calls; numbers go on, so that a reader's place stays valid."""
        self._records.clear()
        self.by_method.clear()
        self.by_code.clear()
