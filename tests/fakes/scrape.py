"""Reads ``/metrics`` as Prometheus does."""

from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Scrape:
    families: Sequence[Metric]

    @property
    def names(self) -> set[str]:
        """Of all samples, as rules and dashboards name them; also of those without any yet."""
        suffixes = {
            "histogram": ("_bucket", "_sum", "_count"),
            "counter": ("_total",),
        }
        return {
            family.name + suffix
            for family in self.families
            for suffix in suffixes.get(family.type, ("",))
        }

    def total(self, name: str, **labels: str) -> float:
        """The sum over all samples of that name that have these labels."""
        return sum(
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


async def scrape(url: str) -> Scrape:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as response:
        assert response.status == 200, await response.text()
        return Scrape(list(text_string_to_metric_families(await response.text())))
