"""The same actors and supervisor, in one trio program with virtual time and one seed.

Everything outside of them is simulated: the database (``world`` and the stores over it), Telegram,
the network between them. A run is decided by its seed alone, so what fails once fails again.
"""

from bot import deferred  # noqa: F401 - before aiogram, which is quick then
