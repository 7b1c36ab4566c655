"""The core runs on every event loop; on trio with a clock that jumps ahead when all wait."""

from typing import Any

import pytest
from trio.testing import MockClock


def _backend(name: str) -> tuple[str, dict[str, Any]]:
    match name:
        case "trio":
            return "trio", {"clock": MockClock(autojump_threshold=0)}
        case "uvloop":
            return "asyncio", {"use_uvloop": True}
        case _:
            return "asyncio", {"use_uvloop": False}


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def core_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """For tests of ``actors`` and ``supervisor``: ask for it as ``anyio_backend``."""
    return _backend(request.param)


@pytest.fixture
def virtual_time() -> tuple[str, dict[str, Any]]:
    """For tests that wait for minutes or hours."""
    return _backend("trio")
