"""Connections to Redis that tell of their loss as every other network connection does."""

from collections.abc import Iterable

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection


class ToldOfLoss(AbstractConnection):
    """What is written to a connection that has just closed ends as a bug of the loop's.

    uvloop raises RuntimeError, asyncio's own loop AttributeError (its transport has let go of
    the loop). As any other loss of a connection it is an OSError here, so that the command is
    tried again and whoever does without Redis learns of it.
    """

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        try:
            await super()._send_packed_command(command)
        except RuntimeError as error:
            raise ConnectionResetError(str(error)) from error
        except AttributeError as error:
            if self._writer is not None and not self._writer.is_closing():
                raise
            raise ConnectionResetError("the connection has closed") from error


class Plain(ToldOfLoss, Connection):
    pass


class Tls(ToldOfLoss, SSLConnection):
    pass


class Unix(ToldOfLoss, UnixDomainSocketConnection):
    pass
