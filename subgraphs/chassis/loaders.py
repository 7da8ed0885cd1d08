"""Per-request batching: many lookups of one kind become one query. The only door to ``aiodataloader``.

A loader lives for one request and one event loop, found by name, so that every resolver of the request that asks for
the same kind of thing joins the same batch. Caching between requests does not belong here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar, cast

from aiodataloader import DataLoader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
BatchFunction = Callable[[Sequence[K]], Awaitable[Sequence[V]]]

__all__ = ["BatchFunction", "DataLoader", "Loaders"]


class Loaders:
    """The loaders of one request. With ``remember=False`` they batch but do not keep answers.

    Streams ask without memory: a subscription's context lives for hours and must not show its first answer for ever.
    """

    def __init__(self, *, batch_max: int = 500, remember: bool = True) -> None:
        self._batch_max = batch_max
        self.remember = remember
        self._loaders: dict[str, DataLoader[Any, Any]] = {}

    def get(self, name: str, batch: BatchFunction[K, V], *, batch_max: int | None = None) -> DataLoader[K, V]:
        """The request's loader of that name, made on first use.

        ``batch`` gets distinct keys and answers in their order and number; an exception object in its answer fails
        that key alone. A key that depends on context carries it: ``(sku, currency)``, not ``sku``.
        """
        loader = self._loaders.get(name)
        if loader is None:

            async def checked(keys: list[Any]) -> list[Any]:
                values = list(await batch(keys))
                assert len(values) == len(keys), f"loader {name!r} answered {len(values)} of {len(keys)} keys"
                return values

            loader = DataLoader(checked, max_batch_size=batch_max or self._batch_max, cache=self.remember)
            self._loaders[name] = loader
        return cast("DataLoader[K, V]", loader)
