"""``topicdesk doctor``: looks at everything the helpdesk depends on, and says what to do."""

from bot import deferred  # noqa: F401 - before aiogram, which is quick then

# isort: split
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from redis.exceptions import AuthenticationError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from bootstrap.doctor_sheets import sheets
from bootstrap.doctor_telegram import telegram
from bootstrap.findings import Finding, in_time
from bootstrap.settings import (
    Settings,
    SettingsError,
    StorageSettings,
    doubtful_names,
    load_settings,
    load_storage_settings,
)
from storage import migrate
from storage.embedded import EmbeddedServerError, FolderInUse, embedded_postgres, embedded_valkey
from storage.postgres import PostgresOptions, create_engine
from storage.redis import RedisOptions, create_redis, server_info
from storage.tolerant import AWAY

CONNECT_TIMEOUT_S: Final = 5.0


async def examine(
    environ: Mapping[str, str],
    env_file: Path | None,
    report: Callable[[Finding], None],
) -> None:
    """Looks at one thing after the other, and reports each finding as soon as it is known."""
    settings: Settings | None = None
    storage: StorageSettings | None
    try:
        settings = storage = load_settings(environ, env_file)
    except SettingsError as error:
        for problem in error.problems:
            example = f", e.g. {problem.name}={problem.example}" if problem.example else ""
            advice = f"{problem.problem}{example}"
            report(Finding(name="settings", detail=problem.name, advice=advice))
        storage = _storage_alone(environ, env_file)
    else:
        report(Finding(name="settings", detail=_source(env_file)))
    for name, meant in doubtful_names(environ, env_file):
        detail = f"{name} is no setting, did you mean {meant}?"
        report(Finding(name="settings", detail=detail, is_note=True))
    if storage is not None:
        await _storage(storage, report)
    if settings is not None:
        await telegram(settings, report)
        report(await in_time("sheets", sheets(settings)))


def _storage_alone(environ: Mapping[str, str], env_file: Path | None) -> StorageSettings | None:
    try:
        return load_storage_settings(environ, env_file)
    except SettingsError:
        return None


def _source(env_file: Path | None) -> str:
    if env_file is not None and env_file.exists():
        return f"complete, from the environment and {env_file}"
    return "complete, from the environment"


# --- storage --------------------------------------------------------------------------------


async def _storage(settings: StorageSettings, report: Callable[[Finding], None]) -> None:
    """Embedded servers are started for the examination, and ended after it."""
    async with AsyncExitStack() as stack:
        dsn = None
        try:
            external = settings.database
            dsn = (
                external.get_secret_value()
                if external is not None
                else await stack.enter_async_context(embedded_postgres(settings.data_dir))
            )
        except EmbeddedServerError as error:
            report(_embedded("postgres", error))
        if dsn is not None:
            where = settings.postgres_host or ("POSTGRES_DSN" if external else "embedded")
            engine = create_engine(PostgresOptions(dsn=dsn, pool_size=1, max_overflow=0))
            try:
                report(await in_time("postgres", _postgres(engine, where)))
                report(await in_time("schema", _schema(engine)))
            finally:
                await engine.dispose()
    async with AsyncExitStack() as stack:
        try:
            cache = settings.redis
            url = (
                cache.get_secret_value()
                if cache is not None
                else await stack.enter_async_context(embedded_valkey(settings.data_dir))
            )
        except EmbeddedServerError as error:
            report(_embedded("redis", error))
        else:
            where = settings.redis_host or ("REDIS_URL" if cache else "embedded")
            report(await in_time("redis", _redis(url, where)))


def _embedded(name: str, error: EmbeddedServerError) -> Finding:
    if isinstance(error, FolderInUse):
        detail = f"embedded, in use by the running topicdesk ({error.holder})"
        return Finding(name=name, detail=detail)
    why = str(error).splitlines()[0]
    return Finding(name=name, detail="embedded, does not start", advice=why)


async def _postgres(engine: AsyncEngine, where: str) -> Finding:
    try:
        async with engine.connect() as connection:
            version = await connection.scalar(text("SHOW server_version"))
    except (OSError, SQLAlchemyError) as error:
        named = "address, " if where == "POSTGRES_DSN" else "POSTGRES_HOST, POSTGRES_PORT, "
        return _away("postgres", where, error, f"{named}user and password")
    return Finding(name="postgres", detail=f"{where}, PostgreSQL {version}")


async def _schema(engine: AsyncEngine) -> Finding:
    head = migrate.head()
    try:
        current = await migrate.current(engine)
    except (OSError, SQLAlchemyError, Transient) as error:
        return _away("schema", "Postgres", error, "the line above")
    if current == head:
        return Finding(name="schema", detail=f"up to date ({head})")
    return Finding(
        name="schema",
        detail=f"is at {current or 'nothing'}, needed is {head}",
        advice="run `topicdesk migrate` (`topicdesk run` does it too)",
    )


async def _redis(url: str, where: str) -> Finding:
    client = create_redis(
        RedisOptions(
            url=url, connect_timeout_s=CONNECT_TIMEOUT_S, command_timeout_s=CONNECT_TIMEOUT_S
        )
    )
    try:
        about = await server_info(client)
        valkey = about.get("valkey_version")
        server = f"Valkey {valkey}" if valkey else f"Redis {about['redis_version']}"
    except AuthenticationError:
        return Finding(
            name="redis", detail=f"{where} refuses the login", advice="set REDIS_PASSWORD"
        )
    except AWAY as error:
        return _away("redis", where, error, "REDIS_URL or REDIS_HOST and REDIS_PORT")
    finally:
        await client.aclose()
    return Finding(name="redis", detail=f"{where}, {server}")


def _away(name: str, where: str, error: Exception, look_at: str) -> Finding:
    """Only the kind of error is shown: messages of drivers may hold the login."""
    cause = error.__cause__ if isinstance(error, Transient) and error.__cause__ else error
    cause = getattr(cause, "orig", None) or cause
    return Finding(
        name=name,
        detail=f"{where} does not answer ({type(cause).__name__})",
        advice=f"start it, and check {look_at}",
    )
