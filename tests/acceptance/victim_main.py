"""What runs in the forked process: settings, logs, the program."""

from collections.abc import Mapping
from pathlib import Path

import anyio

from bootstrap import app
from bootstrap.logs import configure_logging
from bootstrap.settings import load_settings


def serve(settings: Mapping[str, str], log_file: Path) -> None:
    """As ``topicdesk run`` does, with its lines in a file."""
    loaded = load_settings(settings, None)
    with log_file.open("a") as stream:
        configure_logging(level="INFO", style="json", node="victim", stream=stream)
        anyio.run(app.run, loaded, backend_options={"use_uvloop": True})
