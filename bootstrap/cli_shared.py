"""What the commands share: settings, logs, and how that which goes wrong is told."""

import atexit
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NoReturn

import anyio
import click

from actors.errors import TopicdeskError
from bootstrap.settings import SettingsError, StorageSettings, doubtful_names

FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130

env_file_option = click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(".env"),
    show_default=True,
    help="Where settings are read from that the environment does not hold.",
)


def example(*lines: str) -> str:
    """The end of a command's help, its lines as they stand."""
    return "\n  ".join(["\b\nExample:" if len(lines) == 1 else "\b\nExamples:", *lines])


def loaded[S: StorageSettings](
    load: Callable[[Mapping[str, str], Path | None], S], env_file: Path
) -> S:
    try:
        return load(os.environ, env_file)
    except SettingsError as error:
        count = len(error.problems)
        click.echo(f"topicdesk: {count} setting{'s are' if count > 1 else ' is'} wrong:", err=True)
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        for name, meant in doubtful_names(os.environ, env_file):
            click.echo(f"  {name} is no setting; did you mean {meant}?", err=True)
        sys.exit(WRONG_USE)


def configure_logs(settings: StorageSettings, env_file: Path) -> None:
    import structlog  # noqa: PLC0415 - help comes without it

    from bootstrap.logs import configure_logging  # noqa: PLC0415

    with told():
        tell = _sentry(settings)
    configure_logging(
        level=settings.log_level,
        style=settings.log_format,
        node=settings.node_name,
        secrets=settings.secrets(),
        tell=tell,
    )
    for name, meant in doubtful_names(os.environ, env_file):
        structlog.get_logger("topicdesk").warning("setting_unknown", name=name, meant=meant)


def _sentry(settings: StorageSettings) -> Any:
    """What tells Sentry, if it is to be told; the end of the program waits a little for it."""
    if settings.sentry_dsn is None:
        return None
    from bootstrap.masking import Mask  # noqa: PLC0415
    from bootstrap.sentry import start_sentry  # noqa: PLC0415

    telling = start_sentry(
        settings.sentry_dsn.get_secret_value(),
        node=settings.node_name,
        release=_version(),
        mask=Mask(settings.secrets()),
    )
    atexit.register(telling.close)
    return telling


def _version() -> str:
    try:
        return version("topicdesk")
    except PackageNotFoundError:  # a checkout that was not installed
        return "development"


def silence_logs() -> None:
    """The doctor and operators' commands say everything themselves, in their own lines."""
    from bootstrap.logs import configure_logging  # noqa: PLC0415

    configure_logging(level="CRITICAL", style="console", node="-")


def guarded(work: Callable[..., Any], *args: Any) -> Any:
    """Runs async work to its end, in the terms of :func:`told`."""
    with told():
        return anyio.run(work, *args, backend_options={"use_uvloop": _has_uvloop()})


@contextmanager
def told() -> Iterator[None]:
    """What goes wrong is told in words, once, and exits non-zero; bugs keep their traceback.

    SIGTERM ends the command as Ctrl-C does, so that what it started or made is not left behind.
    """
    try:
        with _terminated_as_interrupted():
            yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except TopicdeskError as error:
        _fail(error)
    except BaseExceptionGroup as group:
        errors = list(_leaves(group))
        if all(isinstance(error, TopicdeskError) for error in errors):
            _fail(errors[0])
        if len(errors) == 1:
            # Groups in groups are printed to a depth of ten only, and may hide the one that counts.
            [bug] = errors
            raise bug from bug.__cause__ or bug.__context__
        raise


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """In the main thread, the only one that may say what signals do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _fail(error: BaseException) -> NoReturn:
    click.echo(f"topicdesk: {error}", err=True)
    sys.exit(FAILED)


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None
