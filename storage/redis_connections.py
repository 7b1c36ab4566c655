"""Connections to Redis that tell of their loss as every other network connection does."""

from collections.abc import Iterable

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection


class ToldOfLoss(AbstractConnection):
    """uvloop raises RuntimeError for what is written to a connection that has just closed.

    As any other loss of a connection it is an OSError here, so that the command is tried again
    and whoever does without Redis learns of it.
    """

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        try:
            await super()._send_packed_command(command)
        except RuntimeError as error:
            raise ConnectionResetError(str(error)) from error


class Plain(ToldOfLoss, Connection):
    pass


class Tls(ToldOfLoss, SSLConnection):
    pass


class Unix(ToldOfLoss, UnixDomainSocketConnection):
    pass
