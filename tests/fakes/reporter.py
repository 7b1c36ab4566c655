"""Remembers what the runtime reports."""


class MemoryReporter:
    """Every event with its facts, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, /, **facts: object) -> None:
        self.events.append((event, facts))

    def warning(self, event: str, /, **facts: object) -> None:
        self.events.append((event, facts))

    def error(self, event: str, /, **facts: object) -> None:
        self.events.append((event, facts))

    def named(self, event: str) -> list[dict[str, object]]:
        return [facts for name, facts in self.events if name == event]
