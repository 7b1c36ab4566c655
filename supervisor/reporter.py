"""What the runtime says about itself; the wiring turns it into logs and counters."""

from typing import Protocol


class Reporter(Protocol):
    """Takes facts as data. Events are past tense and stable; must not raise or wait."""

    def info(self, event: str, /, **facts: object) -> None: ...

    def warning(self, event: str, /, **facts: object) -> None: ...

    def error(self, event: str, /, **facts: object) -> None: ...
