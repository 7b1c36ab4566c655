"""``pace:`` — Telegram's budgets, shared by all nodes: asked for together, in one round trip.

A bucket is a hash (what it owes, until when it is closed, what a 429 taught) and, for a window, a
list of when its calls went out. Redis's own clock counts, so the nodes' need not agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.redis import AnyRedis
from storage.tolerant import Tolerant

_LEARNT = """
local function factor(key, now, recovery)
    local f = tonumber(redis.call('HGET', key, 'factor') or '1')
    local at = tonumber(redis.call('HGET', key, 'learnt_at') or '0')
    return math.min(1, f + (now - at) / recovery)
end
local function whole(number) return string.format('%.0f', number) end
-- The longest window that any node has asked for of late: the calls that count are of all.
-- And whether it must be kept (anew): before it runs out, or others would use shorter ones then.
local function longest(key, now, span)
    local kept = redis.call('HMGET', key, 'span', 'span_until')
    local left = tonumber(kept[2] or '0') - now
    local other = left > 0 and tonumber(kept[1]) or 0
    return math.max(span, other), span > other or span == other and left < span / 2
end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
"""

_TAKE = (
    _LEARNT
    + """
local recovery = tonumber(ARGV[1])
local worst, which = 0, 0
local tats = {}
for i = 1, #KEYS / 2 do
    local key, calls = KEYS[2 * i - 1], KEYS[2 * i]
    local base = 1 + (i - 1) * 5
    local kind, most = ARGV[base + 1], tonumber(ARGV[base + 2])
    local span = tonumber(ARGV[base + 3])
    local cost, keep = tonumber(ARGV[base + 4]), tonumber(ARGV[base + 5])
    local wait = tonumber(redis.call('HGET', key, 'closed_until') or '0') - now
    local part = factor(key, now, recovery)
    if kind == 'bucket' then
        local each = span / part
        local burst = math.max(1, most * part)
        local tat = math.max(tonumber(redis.call('HGET', key, 'tat') or '0'), now)
        tats[i] = tat + cost * each
        wait = math.max(wait, tat + math.min(cost + keep, burst) * each - burst * each - now)
    elseif kind == 'window' then
        local to_keep
        span, to_keep = longest(key, now, span)
        if to_keep then
            redis.call('HSET', key, 'span', whole(span), 'span_until', whole(now + span))
            local ttl = math.max(redis.call('PTTL', key), math.ceil(span / 1000) + 1000)
            redis.call('PEXPIRE', key, ttl)
        end
        while true do
            local first = redis.call('LINDEX', calls, 0)
            if not first or tonumber(first) + span > now then break end
            redis.call('LPOP', calls)
        end
        local room = math.max(1, math.floor(most * part + 1e-9))
        local over = redis.call('LLEN', calls) + math.min(cost + keep, room) - room
        if over > 0 then
            wait = math.max(wait, tonumber(redis.call('LINDEX', calls, over - 1)) + span - now)
        end
    end
    if wait > worst then worst, which = wait, i end
end
if worst > 0 then return {whole(math.ceil(worst)), which} end
for i = 1, #KEYS / 2 do
    local key, calls = KEYS[2 * i - 1], KEYS[2 * i]
    local base = 1 + (i - 1) * 5
    local span, cost = tonumber(ARGV[base + 3]), tonumber(ARGV[base + 4])
    if tats[i] then
        redis.call('HSET', key, 'tat', whole(tats[i]))
        local ttl = math.max(redis.call('PTTL', key), math.ceil((tats[i] - now) / 1000) + 1000)
        redis.call('PEXPIRE', key, ttl)
    elseif ARGV[base + 1] == 'window' and cost > 0 then
        for _ = 1, cost do redis.call('RPUSH', calls, whole(now)) end
        local ttl = math.max(redis.call('PTTL', calls), math.ceil(span / 1000) + 1000)
        redis.call('PEXPIRE', calls, ttl)
    end
end
return {'0', 0}
"""
)
"""Takes from all buckets or from none: then how long to wait (µs), and which bucket says so.

The bucket is GCRA: ``tat`` is when it would be full again. The window counts calls: a bucket that
refills while it is emptied lets twice its burst out in the first span.
"""

_CLOSE = (
    _LEARNT
    + """
local recovery, cut, least = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local seconds, teach = tonumber(ARGV[4]), ARGV[5] == '1'
for _, key in ipairs(KEYS) do
    local closed = tonumber(redis.call('HGET', key, 'closed_until') or '0')
    if teach and closed <= now then
        local f = math.max(least, factor(key, now, recovery) * cut)
        redis.call('HSET', key, 'factor', tostring(f), 'learnt_at', whole(now))
    end
    redis.call('HSET', key, 'closed_until', whole(math.max(closed, now + seconds)))
    redis.call('PEXPIRE', key, math.ceil(math.max(seconds, recovery) / 1000) + 1000)
end
return 1
"""
)
"""Closes buckets; calls that were under way together teach once, on whatever node they were."""

_LEFT = (
    _LEARNT
    + """
local recovery, span, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left = {}
for i = 1, #KEYS / 2 do
    local key, calls = KEYS[2 * i - 1], KEYS[2 * i]
    if tonumber(redis.call('HGET', key, 'closed_until') or '0') > now then
        left[i] = 0
    else
        local out, span = 0, longest(key, now, span)
        for _, at in ipairs(redis.call('LRANGE', calls, 0, -1)) do
            if tonumber(at) + span > now then out = out + 1 end
        end
        left[i] = math.floor(most * factor(key, now, recovery) + 1e-9) - out
    end
end
return left
"""
)
"""What each window still allows; nothing is taken."""

_MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a call costs of one bucket.

    ``kind`` is ``bucket`` (``most`` at once, one more each ``span_s``), ``window`` (``most`` in any
    ``span_s``) or ``none`` (no limit, but it may be closed). ``keep`` must be left for others.
    """

    name: str
    kind: str
    most: int = 1
    span_s: float = 1.0
    cost: int = 1
    keep: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """0 seconds: all was taken. Else nothing was, and ``name`` is the bucket that waits longest."""

    wait_s: float
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a 429 leaves of a budget, the least that is left, and how long it takes to be whole."""

    cut: float
    least: float
    recovery_s: float


class RedisBuckets:
    """The buckets of one bot. All its keys lie in one slot of a cluster."""

    def __init__(self, redis: AnyRedis, tolerant: Tolerant, *, bot_id: int, lesson: Lesson) -> None:
        self._redis = redis
        self._tolerant = tolerant
        self._prefix = f"pace:{{{bot_id}}}:"
        self._lesson = lesson
        self._take = redis.register_script(_TAKE)
        self._close = redis.register_script(_CLOSE)
        self._left = redis.register_script(_LEFT)

    async def take(self, asks: Sequence[Ask]) -> Answer | None:
        """Takes from all or from none; ``None`` while Redis is away (nothing may be known then)."""
        keys, args = self._arguments(asks)

        async def command() -> Answer | None:
            wait_us, which = await self._take(keys=keys, args=args)
            name = asks[int(which) - 1].name if int(which) else None
            return Answer(wait_s=int(wait_us) / _MICRO, name=name)

        return await self._tolerant(command, None)

    async def left(
        self, names: Sequence[str], *, most: int, span_s: float
    ) -> Sequence[float] | None:
        """How many calls each of these windows allows now; ``None`` while Redis is away."""
        keys = [
            key
            for name in names
            for key in (f"{self._prefix}{name}", f"{self._prefix}{name}:calls")
        ]
        args = [self._lesson.recovery_s * _MICRO, round(span_s * _MICRO), most]

        async def command() -> Sequence[float] | None:
            return [float(left) for left in await self._left(keys=keys, args=args)]

        return await self._tolerant(command, None)

    async def close(self, names: Sequence[str], seconds: float, *, teach: bool = True) -> None:
        """Nobody takes from these for so long; ``teach``: and less for a longer while."""
        lesson = self._lesson
        args: list[Any] = [lesson.recovery_s * _MICRO, lesson.cut, lesson.least]
        args += [seconds * _MICRO, int(teach)]

        async def command() -> None:
            await self._close(keys=[self._prefix + name for name in names], args=args)

        await self._tolerant(command, None)

    def _arguments(self, asks: Sequence[Ask]) -> tuple[list[str], list[Any]]:
        keys: list[str] = []
        args: list[Any] = [self._lesson.recovery_s * _MICRO]
        for ask in asks:
            key = self._prefix + ask.name
            keys += [key, f"{key}:calls"]
            args += [ask.kind, ask.most, round(ask.span_s * _MICRO), ask.cost, ask.keep]
        return keys, args
