"""What a key computes with in this process: its public number, an engine, and the ring Z/n^2 on that engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vecphe.arithmetic import AnyRing, Engine, engine_for, ring_of
from vecphe.numbers.key_numbers import PublicNumbers

__all__ = ["KeyContext"]


@dataclass(frozen=True, slots=True, eq=False)
class KeyContext:
    """One key on one engine. Batches of its ring mean nothing to the ring of another context, even of the same key.

    Attributes
    ----------
    numbers : PublicNumbers
    engine : Engine
    ring : Ring
        Shared by all contexts of the key on this engine.
    """

    numbers: PublicNumbers
    engine: Engine
    ring: AnyRing = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ring", ring_of(self.engine, self.numbers.n))

    @classmethod
    def on(cls, numbers: PublicNumbers, engine: str | None = None) -> KeyContext:
        """On the engine of that name, by default the active one; as `engine_for`."""
        return cls(numbers, engine_for(numbers.n, engine))

    def taken(self, batch: Any, origin: KeyContext) -> Any:
        """A batch of another context of the key in this one's form, by way of canonical bytes where they differ."""
        return batch if origin.ring is self.ring else self.ring.load_bytes(origin.ring.store_bytes(batch))
