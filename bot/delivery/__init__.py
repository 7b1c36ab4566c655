"""The way out: rows of the outbox become calls, lane by lane, as fast as Telegram allows."""

from bot.delivery.engine import Delivery
from bot.delivery.options import DeliveryOptions
from bot.delivery.pace import PaceOptions
from bot.delivery.stats import DeliveryStats

__all__ = ["Delivery", "DeliveryOptions", "DeliveryStats", "PaceOptions"]
