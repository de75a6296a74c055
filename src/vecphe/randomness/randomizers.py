"""n-th residues that hide plaintexts: textbook r^n, and DJN powers of a fixed base.

The scheme of a source is one of

``"djn"``
    rho = h_s^a with h = x^2 mod n, h_s = h^n mod n^2, and a fresh, of half the length of n.
    I. Damgard, M. Jurik, J. B. Nielsen, "A generalization of Paillier's public-key system with applications
    to electronic voting", section 4.1.
``"djn-short"``
    The same with an exponent of 2*strength bits and room for 2^32 ciphertexts and more a base (256 bits up to
    2048, 320 up to 3072, 512 up to 8192, 640 above): also assumes that short-exponent discrete logarithms are hard.
``"textbook"``
    rho = r^n mod n^2, r uniform in [1, n) and coprime to n.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any, Literal, NoReturn, get_args

from vecphe.arithmetic import AnyRing, Engine, FixedBase, Words, random_words
from vecphe.errors import InvalidKeyError, InvalidPlaintextError
from vecphe.numbers.context import KeyContext
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.randomness.ready import ReadyRandomizers
from vecphe.system.forks import ForkSafeLock
from vecphe.system.parallel import AwayContext, joined, map_chunks, part_of, reporting

__all__ = ["RandomizerScheme", "RandomizerSource", "choose_window"]

RandomizerScheme = Literal["djn", "djn-short", "textbook"]

# Twice the strength of the longest key (NIST SP 800-57) and at least 32 bits for the ciphertexts of a base.
_SHORT_EXPONENT_BITS = ((2048, 256), (3072, 320), (8192, 512), (math.inf, 640))
_TEXTBOOK_FIRST = 2  # encryptions; making the base costs one, the smallest table another
_MOST_TABLE_BYTES = 128 << 20  # unless the window is the smallest; 4096 bits take 84 MB at most


def exponent_bits(scheme: RandomizerScheme, key_length: int) -> int:
    """Length of the random exponents of a DJN scheme."""
    half = (key_length + 1) // 2
    if scheme == "djn":
        return half
    return min(half, next(bits for longest, bits in _SHORT_EXPONENT_BITS if key_length <= longest))


def choose_window(engine: Engine, bits: int, count: int, key_length: int = 0) -> int:
    """Window of the fixed-base table that makes building it plus twice `count` powers cheapest.

    What is known to come is the least that a key will be used for. If nothing follows, this costs some per cent more
    than the best window; if much does, it saves building another table. Very long keys have smaller windows than the
    best, for the sake of memory.
    """
    windows = range(engine.tuning.min_window, engine.tuning.max_window + 1)
    room = engine.tuning.table_memory
    fitting = [w for w in windows if table_size(bits, w, key_length) <= _MOST_TABLE_BYTES * room] or windows[:1]
    return min(fitting, key=lambda w: -(-bits // w) * ((1 << w) * engine.tuning.entry_cost + 2 * count))


def table_size(bits: int, window: int, key_length: int) -> int:
    """About how many bytes a fixed-base table takes: 2.5 times the length of n an entry."""
    return -(-bits // window) * (1 << window) * key_length * 5 // 16


def textbook_randomizers(ring: AnyRing, roots: Iterable[int]) -> Any:
    """Batch of r^n mod n^2.

    Raises
    ------
    InvalidPlaintextError
        If an r is outside [1, n) or shares a factor with n.
    """
    roots = list(roots)
    if any(not 1 <= r < ring.n or math.gcd(r, ring.n) != 1 for r in roots):
        raise InvalidPlaintextError("a randomizer's r must be in [1, n) and coprime to n")
    return ring.power_vartime(ring.load(roots), [ring.n] * len(roots))


def _random_root(n: int) -> int:
    root = secrets.randbelow(n - 1) + 1
    while math.gcd(root, n) != 1:
        root = secrets.randbelow(n - 1) + 1
    return root


class RandomizerSource:
    """Fresh randomizers for one public key, with the DJN base and table of this object and process.

    The base is made here and never leaves: nobody has to be trusted for it, and ciphertexts of encryptors with
    different bases add up all the same. Until more than two randomizers are asked for, they are textbook ones,
    because base and table cost as much as two of those.
    """

    def __init__(self, context: KeyContext, scheme: RandomizerScheme = "djn") -> None:
        if scheme not in get_args(RandomizerScheme):
            raise ValueError(f"randomizers must be one of {', '.join(get_args(RandomizerScheme))}, not {scheme!r}")
        self.context = context
        self.scheme = scheme
        self._bits = exponent_bits(scheme, context.numbers.n.bit_length())
        self._lock = ForkSafeLock()
        self._drawn = 0
        self._base: int | None = None
        self._table: FixedBase[Any] | None = None
        self._sized_for = 0

    def __reduce__(self) -> NoReturn:
        raise TypeError("a source of randomizers stays in its process; pickle the public key, which makes another")

    @property
    def table_bytes(self) -> int:
        """Memory of the fixed-base table now: about 2^window * bits/window * 2.5 times the length of n.

        A window that would take more than 128 MiB is not chosen, unless it is the engine's smallest.
        """
        return self._table.table_bytes if self._table else 0

    def prepare(self, count: int) -> None:
        """Build what `count` randomizers to come need."""
        if self.scheme != "textbook" and count > _TEXTBOOK_FIRST:
            self._table_for(count)

    def draw(self, count: int) -> Any:
        """A batch of `count` fresh randomizers."""
        self._drawn += count
        if self.scheme == "textbook" or (self._table is None and self._drawn <= _TEXTBOOK_FIRST):
            ring = self.context.ring
            return textbook_randomizers(ring, [_random_root(ring.n) for _ in range(count)])
        return self._table_for(self._drawn).power_secret(random_words(count, self._bits))

    def encrypt(
        self, words: Words, offset: int, n_jobs: int | None = None, ready: ReadyRandomizers | None = None
    ) -> Any:
        """Ciphertexts of the plaintexts ``(words + offset) mod n``, under those that are ready as far as they go."""
        return self._hidden(_encrypt, lambda start, stop: (words[start:stop], offset), len(words), n_jobs, ready)

    def rerandomize(self, batch: Any, n_jobs: int | None = None, ready: ReadyRandomizers | None = None) -> Any:
        """The same plaintexts under fresh randomizers; as `encrypt`."""
        ring = self.context.ring
        cut = partial(part_of, ring, batch)
        return self._hidden(_rerandomize, lambda *edges: (cut(*edges),), ring.size(batch), n_jobs, ready)

    def drawn(self, count: int, n_jobs: int | None = None) -> list[Any]:
        """Batches of `count` fresh randomizers together."""
        return self._mapped(_draw, lambda start, stop: (stop - start,), count, n_jobs)

    def _hidden(
        self,
        task: Callable[..., Any],
        cut: Callable[[int, int], tuple[Any, ...]],
        count: int,
        n_jobs: int | None,
        ready: ReadyRandomizers | None,
    ) -> Any:
        """The batches of a task, with the ready randomizers here and with others wherever they are made."""
        ring, randomizers = self.context.ring, ready.take(count) if ready is not None else None
        if randomizers is None:
            return joined(ring, self._mapped(task, cut, count, n_jobs))
        done = ring.size(randomizers)
        hidden = reporting(task)(done, ring, lambda _: randomizers, *cut(0, done))
        if done == count:
            return hidden
        rest = self._mapped(task, lambda start, stop: cut(done + start, done + stop), count - done, n_jobs)
        return joined(ring, [hidden, *rest])

    def _mapped(
        self, task: Callable[..., Any], cut: Callable[[int, int], tuple[Any, ...]], count: int, n_jobs: int | None
    ) -> list[Any]:
        draw = partial(self.draw_of, count)
        return map_chunks(
            self.context,
            lambda context, *chunk: task(context.ring, draw, *chunk),
            cut,
            count,
            n_jobs,
            least=self.context.engine.tuning.encrypt_task,
            away=partial(_with_source, task, self.scheme),
        )

    def draw_of(self, count: int, chunk: int) -> Any:
        """A batch of `chunk` fresh randomizers, of `count` that are drawn from this source for one operation."""
        if chunk < count:
            self.prepare(count)
        return self.draw(chunk)

    def _table_for(self, count: int) -> FixedBase[Any]:
        """The table, made or made larger where `count` randomizers pay for it.

        A count of what was drawn so far predicts as many to come; the window grows with its logarithm, so the
        tables made on the way cost no more than the last.
        """
        table = self._table
        if table is not None and count < 2 * self._sized_for:
            return table
        window = choose_window(self.context.engine, self._bits, count, self.context.numbers.n.bit_length())
        with self._lock:
            table = self._table
            if table is None or table.window < window:
                if self._base is None:
                    self._base = self._random_base()
                table = self._table = self.context.ring.fixed_base(self._base, self._bits, window)
            self._sized_for = max(count, self._sized_for)
        return table

    def _random_base(self) -> int:
        ring, n = self.context.ring, self.context.numbers.n
        x = secrets.randbelow(n - 1) + 1
        h = x * x % n
        if math.gcd(x, n) != 1 or math.gcd(h * h - 1, n) != 1:
            raise InvalidKeyError("n was factored by chance while a randomizer base was drawn: never use this key")
        base: int = ring.store(ring.power_vartime(ring.load([h]), [n]))[0]
        return base


@lru_cache(maxsize=4)
def _worker_source(engine: Engine, n: int, scheme: RandomizerScheme) -> RandomizerSource:
    return RandomizerSource(KeyContext(PublicNumbers(n), engine), scheme)


def _with_source(task: Callable[..., Any], scheme: RandomizerScheme, context: AwayContext, *chunk: Any) -> Any:
    """A task of another process, which keeps a source of its own for each key: no base is ever sent."""
    source = _worker_source(context.engine, context.ring.n, scheme)
    return task(source.context.ring, partial(source.draw_of, context.share), *chunk)


# The tasks: `draw` makes a batch of so many randomizers.


def _encrypt(ring: AnyRing, draw: Callable[[int], Any], words: Words, offset: int) -> Any:
    return ring.multiply_plain(draw(len(words)), words, offset)


def _rerandomize(ring: AnyRing, draw: Callable[[int], Any], batch: Any) -> Any:
    return ring.multiply(batch, draw(ring.size(batch)))


def _draw(ring: AnyRing, draw: Callable[[int], Any], count: int) -> Any:
    return draw(count)
