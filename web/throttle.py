"""How often somebody may guess: by address, and all addresses together."""

from collections import OrderedDict, deque
from collections.abc import Callable


class Throttle:
    """Counts failures within a window. ``clock`` in seconds, of any origin."""

    def __init__(
        self,
        *,
        each_max: int,
        all_max: int,
        window_s: float,
        peers_max: int,
        clock: Callable[[], float],
    ) -> None:
        self._each_max = each_max
        self._all_max = all_max
        self._window_s = window_s
        self._peers_max = peers_max
        self._clock = clock
        self._by_peer: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=all_max)

    def must_wait(self, peer: str | None) -> bool:
        """Whether this address, or everybody, failed too often for another try."""
        since = self._clock() - self._window_s
        failures = self._by_peer.get(peer or "")
        if failures is not None:
            _forget(failures, since)
            if len(failures) >= self._each_max:
                return True
        _forget(self._all, since)
        return len(self._all) >= self._all_max

    def failed(self, peer: str | None) -> None:
        now = self._clock()
        self._by_peer.setdefault(peer or "", deque(maxlen=self._each_max)).append(now)
        self._all.append(now)
        if len(self._by_peer) > self._peers_max:
            self._by_peer.popitem(last=False)

    def forgive(self, peer: str | None) -> None:
        """Takes the last failure of this address back."""
        failures = self._by_peer.get(peer or "")
        if failures:
            failures.pop()
        if self._all:
            self._all.pop()


def _forget(times: deque[float], since: float) -> None:
    while times and times[0] < since:
        times.popleft()
