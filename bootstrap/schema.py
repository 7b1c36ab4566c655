"""``topicdesk migrate``: the schema forwards, or back."""

from contextlib import AsyncExitStack

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from actors.errors import TopicdeskError
from bootstrap.settings import StorageSettings
from storage import migrate as migrations
from storage.embedded import embedded_postgres
from storage.postgres import PostgresOptions, create_engine


class SchemaError(TopicdeskError):
    """The schema cannot be brought where it should be; nothing of the step stands."""


async def migrate(settings: StorageSettings, down: str | None) -> str:
    """Migrates to head, or down to a revision; returns a sentence on how it stands now.

    Raises:
        SchemaError: There is no such revision, or Postgres does not answer.
        EmbeddedServerError: The embedded Postgres cannot be used, as while topicdesk runs.
    """
    async with AsyncExitStack() as stack:
        external = settings.database
        dsn = (
            await stack.enter_async_context(embedded_postgres(settings.data_dir))
            if external is None
            else external.get_secret_value()
        )
        engine = create_engine(PostgresOptions(dsn=dsn, pool_size=1, max_overflow=1))
        stack.push_async_callback(engine.dispose)
        try:
            before = await migrations.current(engine)
            if down is None:
                await migrations.upgrade(engine)
            else:
                await migrations.downgrade(engine, down)
            after = await migrations.current(engine)
        except CommandError as error:
            raise SchemaError(str(error)) from error
        except (OSError, SQLAlchemyError) as error:
            cause = getattr(error, "orig", None) or error
            raise SchemaError(
                f"Postgres: {type(cause).__name__}; see `topicdesk doctor`"
            ) from error
    if before == after:
        return f"The schema is at {after or 'nothing'} already."
    return f"The schema went from {before or 'nothing'} to {after or 'nothing'}."
