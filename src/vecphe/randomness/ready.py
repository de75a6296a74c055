"""Randomizers made ahead of their use: off the critical path, and in batches that fill the lanes of an engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Thread, main_thread
from time import sleep
from typing import Any, NoReturn

from vecphe.arithmetic import AnyRing, Cancellation
from vecphe.system.forks import ForkSafeLock, generation
from vecphe.system.parallel import joined, part_of

__all__ = ["BackgroundFilling", "ReadyRandomizers", "batch_size"]

_SECONDS_BETWEEN_LOOKS = 0.05  # of a thread that keeps some ready, at how many are left
_LANES = 8  # of a vector: with fewer randomizers a batch costs about as much


def batch_size(missing: int, full: int) -> int:
    """How many of `missing` randomizers to make at once.

    In about equal batches of at most `full`, and in whole vectors if there are as many: were all but the last batch
    full, that one could be of a few.
    """
    batches = max(-(-missing // full), 1)
    return min(-(-missing // (_LANES * batches)) * _LANES, missing, full)


class ReadyRandomizers:
    """Randomizers that nothing has used yet. Each is handed out once, to one caller, in the process that made it.

    None comes back: what an error or an interrupt kept from being used is lost. A child process has none of its
    parent's. They are in memory alone, in batches that their engine wipes when they are freed: a batch is, when its
    last one was taken or all are dropped.
    """

    def __init__(self, ring: AnyRing) -> None:
        self._ring = ring
        self._lock = ForkSafeLock()
        self._generation = generation()
        self._stocks: deque[_Stock] = deque()

    def __reduce__(self) -> NoReturn:
        raise TypeError("randomizers made ahead stay in their process: none may be used twice; pickle the public key")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self) if hasattr(self, '_stocks') else 'nothing yet'})"

    def __len__(self) -> int:
        with self._lock:
            return sum(stock.left for stock in self._own())

    def add(self, *batches: Any) -> None:
        """Keep batches of randomizers that were just made, and used nowhere: all of them or, if interrupted, none."""
        stocks = [_Stock(batch, self._ring.size(batch)) for batch in batches]
        with self._lock:
            self._own().extend(stocks)

    def take(self, count: int) -> Any:
        """A batch of `count` randomizers, or of as many as there are; None if there is none."""
        if not self._stocks:  # as in most keys
            return None
        with self._lock:
            claims = self._claimed(count)
        return joined(self._ring, [part_of(self._ring, *claim) for claim in claims]) if claims else None

    def clear(self) -> None:
        """Drop all of them."""
        with self._lock:
            self._own().clear()

    def _claimed(self, count: int) -> list[tuple[Any, int, int]]:
        stocks, claims = self._own(), []
        while count > 0 and stocks:
            stock = stocks[0]
            start, stop = stock.start, min(stock.start + count, stock.size)
            stock.start = stop
            count -= stop - start
            if stop == stock.size:
                stocks.popleft()
            if stop > start:
                claims.append((stock.batch, start, stop))
        return claims

    def _own(self) -> deque[_Stock]:
        """The stocks of this process."""
        if self._generation != generation():
            self._stocks = deque()
            self._generation = generation()
        return self._stocks


class _Stock:
    """A batch, of which those from `start` on are unused."""

    __slots__ = ("batch", "size", "start")

    def __init__(self, batch: Any, size: int) -> None:
        self.batch, self.size, self.start = batch, size, 0

    @property
    def left(self) -> int:
        return self.size - self.start


class BackgroundFilling:
    """A thread that keeps so many ready, until it is stopped.

    Parameters
    ----------
    ready : ReadyRandomizers
    draw : callable
        Makes a batch of so many randomizers.
    target : int
        So many.
    full : int
        Most that it makes at once.
    """

    def __init__(self, ready: ReadyRandomizers, draw: Callable[[int], Any], target: int, full: int) -> None:
        self._ready, self._draw, self._target, self._full = ready, draw, target, full
        self._cancellation = Cancellation()
        self._over = False
        self._failure: BaseException | None = None
        # No daemon: an interpreter that ends while one of those is in native code aborts.
        self._thread = Thread(target=self._run, name="vecphe-randomizers")
        self._thread.start()

    def stop(self) -> None:
        """End the thread soon, also within a batch; raise what it failed with. A forked child has no such thread."""
        self._over = True
        self._cancellation.cancel()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with self._cancellation.observed():
                while not self._over and main_thread().is_alive():
                    self._fill_or_wait()
        except BaseException as error:
            if not self._over:  # else it is what ended the batch
                self._failure = error

    def _fill_or_wait(self) -> None:
        missing = self._target - len(self._ready)
        if missing >= min(_LANES, self._full, self._target):
            self._ready.add(self._draw(batch_size(missing, self._full)))
        else:
            sleep(_SECONDS_BETWEEN_LOOKS)
