"""The memory of open questions, which may be away: then nothing is remembered."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiogram.fsm.storage.base import BaseStorage, StateType, StorageKey

from storage.tolerant import Tolerant


class TolerantStorage(BaseStorage):
    """Another storage, which answers "nothing" while its Redis is away."""

    def __init__(self, storage: BaseStorage, tolerant: Tolerant) -> None:
        self._storage = storage
        self._tolerant = tolerant

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        await self._tolerant(partial(self._storage.set_state, key, state), None)

    async def get_state(self, key: StorageKey) -> str | None:
        return await self._tolerant(partial(self._storage.get_state, key), None)

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        await self._tolerant(partial(self._storage.set_data, key, data), None)

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        nothing: dict[str, Any] = {}
        return await self._tolerant(partial(self._storage.get_data, key), nothing)

    async def close(self) -> None:
        await self._storage.close()
