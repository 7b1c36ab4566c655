"""Which of several Postgres servers to connect to: the one that may be written to, soon found."""

from typing import Any, Final

import asyncpg
from asyncpg.exceptions import CannotConnectNowError, TargetServerAttributeNotMatched

NEXT: Final = (OSError, TimeoutError, CannotConnectNowError)
"""After these another server may do: nobody is there, or it starts, stops or is a standby."""


class Hosts:
    """Connects for one engine; remembers who answered, and asks it first the next time.

    The driver tries several hosts by itself, but within one time-out for all: a machine that is
    gone and refuses nothing would use it up.
    """

    def __init__(self) -> None:
        self._first = 0

    async def connect(
        self, *, host: str | list[str] | None = None, **options: Any
    ) -> asyncpg.Connection:
        """As :func:`asyncpg.connect`; ``timeout`` is shared by the hosts.

        Raises:
            OSError: No host can be reached that is of the wanted kind.
            asyncpg.PostgresError: As there, for other reasons.
        """
        if not isinstance(host, list):
            return await _connect(host=host, **options)
        ports = options.pop("port")
        share = options.pop("timeout") / len(host)
        order = [(self._first + step) % len(host) for step in range(len(host))]
        errors: list[Exception] = []
        for number in order:
            try:
                connection = await _connect(
                    host=host[number], port=ports[number], timeout=share, **options
                )
            except NEXT as error:
                errors.append(error)
            else:
                self._first = number
                return connection
        raise errors[-1]


async def _connect(**options: Any) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(**options)
    except TargetServerAttributeNotMatched as error:  # to SQLAlchemy this is no error of a driver
        raise ConnectionRefusedError("the server is not of the wanted kind") from error
