"""Injected faults: which call or update goes wrong, how, and how often."""

import random
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase

CALL_FAULTS = frozenset(
    {
        "error",  # an answer of the rule's own: code, description, retry_after
        "too_many_requests",
        "server_error",  # 5xx with Telegram's JSON
        "bad_gateway",  # 502 with a proxy's HTML
        "timeout_before",
        "timeout_after",
        "drop_before",
        "drop_after",
        "slow",
    }
)
UPDATE_FAULTS = frozenset({"duplicate", "late"})


@dataclass(slots=True, kw_only=True)
class FaultRule:
    """One rule. Rules are tried in the order in which they were added; the first that hits wins."""

    kind: str
    method: str = "*"
    """Glob over method names (any case), or over update kinds for update faults."""
    chat_id: int | None = None
    probability: float = 1.0
    times_left: int | None = None
    """Hits until the rule is spent, ``None`` for ever."""
    seconds: float = 30.0
    """How long a time-out holds the connection, a slow answer or a late update waits."""
    code: int = 500
    description: str = "Internal Server Error"
    retry_after: int = 1
    times: int = 1
    """How many more times a duplicated update comes."""
    id: int = 0
    hits: int = 0

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class Faults:
    """The rules in force. ``seed`` makes the draws of a run repeatable."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = random.Random(seed)
        self._rules: list[FaultRule] = []
        self._last_id = 0

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        return tuple(self._rules)

    def add(self, rule: FaultRule) -> FaultRule:
        """Adds a rule and gives it its id.

        Raises:
            ValueError: A kind that does not exist, or a probability beyond 0–1.
        """
        if rule.kind not in CALL_FAULTS | UPDATE_FAULTS:
            raise ValueError(f"no such fault: {rule.kind}")
        if not 0.0 <= rule.probability <= 1.0:
            raise ValueError("probability must be between 0 and 1")
        self._last_id += 1
        rule.id = self._last_id
        rule.method = rule.method.lower()
        self._rules.append(rule)
        return rule

    def clear(self, rule_id: int | None = None) -> None:
        """Removes one rule, or all."""
        self._rules = [rule for rule in self._rules if rule_id not in {None, rule.id}]

    def for_call(self, method: str, chat_id: object) -> FaultRule | None:
        """The fault that hits this call, if any. ``method`` is in lower case."""
        return self._draw(CALL_FAULTS, method, chat_id) if self._rules else None

    def for_update(self, kind: str) -> FaultRule | None:
        return self._draw(UPDATE_FAULTS, kind, None) if self._rules else None

    def _draw(self, kinds: frozenset[str], name: str, chat_id: object) -> FaultRule | None:
        for rule in self._rules:
            if (
                rule.kind in kinds
                and rule.times_left != 0
                and (rule.chat_id is None or rule.chat_id == chat_id)
                and fnmatchcase(name, rule.method)
                and (rule.probability >= 1.0 or self._rng.random() < rule.probability)
            ):
                rule.hits += 1
                if rule.times_left is not None:
                    rule.times_left -= 1
                return rule
        return None


FAULT_FIELDS = frozenset(item.name for item in fields(FaultRule)) - {"id", "hits"}
