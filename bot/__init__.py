"""What talks with Telegram. Import it before aiogram: then aiogram costs a third."""

from bot.deferred import import_aiogram

import_aiogram()
