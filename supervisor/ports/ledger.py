"""Where records go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.errors import LedgerFailed


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that is on disk: its place in the chain and its hash (32 bytes)."""

    seq: int
    hash: bytes


class LedgerStore(ABC):
    """Append-only, hash-chained, durable. One writer."""

    @abstractmethod
    async def append(self, kind: str, body: Mapping[str, Any]) -> Entry:
        """Write one record and return after it is durable.

        Raises:
            LedgerFailed: it could not be made durable. Nothing was acknowledged.
        """

    @abstractmethod
    def append_behind(
        self,
        kind: str,
        body: Mapping[str, Any],
        failed: Callable[[LedgerFailed], object] = lambda error: None,
    ) -> Callable[[Mapping[str, Any]], bool]:
        """As `append`, for a record that nobody waits for: it may be up to 50 ms late, and stands
        before whatever is appended later. `failed` is called should it not become durable.

        Returns:
            What adds to the record; it answers False, and adds nothing, once that is too late.

        Raises:
            LedgerFailed: it cannot be asked for at all.
        """

    @property
    @abstractmethod
    def lag(self) -> float:
        """Seconds since the oldest record behind was asked for that is not durable; 0 for none."""

    @abstractmethod
    async def append_reserved(self, kind: str, body: Mapping[str, Any]) -> Entry:
        """As `append`, from space reserved at start: for tombstones on a full disk."""

    @abstractmethod
    def read(
        self, *, after: int = 0, limit: int = 1000, task: str = "", kinds: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Records in order, each as its full dict (`seq`, `time`, `kind`, `hash`, body keys)."""

    @abstractmethod
    def latest(
        self, limit: int = 1000, *, task: str = "", kinds: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """The last `limit` records, oldest first, as `read` gives them."""

    @abstractmethod
    async def close(self) -> None: ...
