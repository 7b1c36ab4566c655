"""The node's circuit: a node whose turns fail takes no more tickets."""

from collections import deque


class Circuit:
    """Open while more than ``share_max`` of the turns within ``window_s`` failed.

    Needs ``turns_min`` turns for a verdict: one failure of three says nothing about a node.
    """

    def __init__(self, *, window_s: float, share_max: float, turns_min: int) -> None:
        self._window_s = window_s
        self._share_max = share_max
        self._turns_min = turns_min
        self._buckets: deque[tuple[int, list[int]]] = deque()
        """Second, and turns and failures within it."""

    def count(self, now: float, *, failed: bool) -> None:
        second = int(now)
        if not self._buckets or self._buckets[-1][0] != second:
            self._buckets.append((second, [0, 0]))
        counts = self._buckets[-1][1]
        counts[0] += 1
        counts[1] += failed

    def is_open(self, now: float) -> bool:
        while self._buckets and self._buckets[0][0] < now - self._window_s:
            self._buckets.popleft()
        turns = sum(counts[0] for _, counts in self._buckets)
        failures = sum(counts[1] for _, counts in self._buckets)
        return turns >= self._turns_min and failures > self._share_max * turns
