"""The gmpy2 engine: always there, and the reference for every other one.

Residues are kept in pair form X = x0 + x1*n with 0 <= x0, x1 < n, so that one product costs three
multiplications and two divisions at the length of n instead of one of each at twice the length:

    x0*y0 = m*n + z0,    X*Y = z0 + (x0*y1 + x1*y0 + m)*n    (mod n^2)

Fixed bases use the logarithmic form: with Y = y0 + y0*l*n and X = x0 + (x0*L + a)*n a step is

    x0*y0 = m*n + z0,    a <- a*y0 + m mod n,    L <- L + l,  x0 <- z0

which needs two multiplications. Both follow from n^2 = 0 and x0*y0 = z0 mod n.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import gmpy2
import numpy as np
import numpy.typing as npt
from gmpy2 import f_divmod, f_mod_2exp, gcd, invert, mpz, powmod, powmod_sec

from vecphe.arithmetic.cancellation import checkpoint
from vecphe.arithmetic.engine import AnyRing, Decryptor, Engine, FixedBase, Ring, Tuning
from vecphe.arithmetic.words import Words, digits_from_words, integers_from_words, words_from_integers
from vecphe.errors import InvalidCiphertextError

__all__ = ["GmpEngine"]

_ROWS_OUTSIDE_FROM = 8  # exponents; for fewer, local variables are worth more than the cache (8 %)
# Signals wait for calls of GMP: none takes more than a tenth of a second.
_MOST_BITS_AT_ONCE = 4096  # of n; a power by n of a residue of that length takes 0.09 s
_MOST_SECRET_WORK = 1 << 37  # bits of the exponent times those of the modulus squared: 0.08 s
_COMPACT_FROM = 64  # residues; below, the fixed cost of compacting is not worth the memory


class Pairs(NamedTuple):
    """A batch in pair form: residue i is x0[i] + x1[i]*n."""

    x0: list[mpz]
    x1: list[mpz]


def _compact(values: list[mpz]) -> list[mpz]:
    """Copy numbers into allocations of just their size.

    gmpy2 recycles freed numbers with the room they had, so a remainder often sits in the allocation of a
    product twice as long. Holding more numbers than it recycles (100) makes every copy below a new one.
    """
    if len(values) < _COMPACT_FROM:
        return values
    held = [mpz(2) << 64 for _ in range(128)]
    copies = [value >> 0 for value in values]
    del held
    return copies


def _pairs(x0: list[mpz], x1: list[mpz]) -> Pairs:
    return Pairs(_compact(x0), _compact(x1))


class GmpRing(Ring[Pairs]):
    """Z/n^2 on gmpy2 integers."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self._n = mpz(n)
        self._n_squared = self._n * self._n

    def size(self, batch: Pairs) -> int:
        return len(batch.x0)

    def resident_bytes(self, batch: Pairs) -> int:
        return sum(x.__sizeof__() + 8 for x in chain(batch.x0, batch.x1))

    def load(self, values: Iterable[int]) -> Pairs:
        x0: list[mpz] = []
        x1: list[mpz] = []
        for value in values:
            if not 0 <= value < self._n_squared:
                raise InvalidCiphertextError
            high, low = f_divmod(mpz(value), self._n)
            x0.append(low)
            x1.append(high)
        return _pairs(x0, x1)

    def load_bytes(self, data: bytes) -> Pairs:
        width = self.ciphertext_bytes
        if len(data) % width:
            raise InvalidCiphertextError
        return self.load(mpz.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width))

    def _canonical(self, batch: Pairs) -> Iterable[mpz]:
        n = self._n
        return (x0 + x1 * n for x0, x1 in zip(*batch, strict=True))

    def store(self, batch: Pairs) -> list[int]:
        return [int(value) for value in self._canonical(batch)]

    def store_bytes(self, batch: Pairs) -> bytes:
        return b"".join(value.to_bytes(self.ciphertext_bytes, "little") for value in self._canonical(batch))

    def ones(self, count: int) -> Pairs:
        return Pairs([mpz(1)] * count, [mpz(0)] * count)

    def take(self, batch: Pairs, indices: npt.NDArray[np.intp]) -> Pairs:
        order = indices.tolist()
        return Pairs([batch.x0[i] for i in order], [batch.x1[i] for i in order])

    def concatenate(self, batches: Sequence[Pairs]) -> Pairs:
        return Pairs(
            list(chain.from_iterable(batch.x0 for batch in batches)),
            list(chain.from_iterable(batch.x1 for batch in batches)),
        )

    def all_units(self, batch: Pairs) -> bool:
        # gcd(X, n) = gcd(x0, n); one gcd of the product serves the whole batch.
        n, product = self._n, mpz(1)
        for x0 in batch.x0:
            product = product * x0 % n
        return bool(gcd(product, n) == 1)

    def _product_pair(self, x0: mpz, x1: mpz, y0: mpz, y1: mpz) -> tuple[mpz, mpz]:
        m, z0 = f_divmod(x0 * y0, self._n)
        return z0, (x0 * y1 + x1 * y0 + m) % self._n

    def multiply(self, left: Pairs, right: Pairs) -> Pairs:
        n = self._n
        z0: list[mpz] = []
        z1: list[mpz] = []
        for x0, x1, y0, y1 in zip(*left, *right, strict=True):
            m, low = f_divmod(x0 * y0, n)
            z0.append(low)
            z1.append((x0 * y1 + x1 * y0 + m) % n)
        return _pairs(z0, z1)

    def multiply_plain(self, batch: Pairs, words: Words, offset: int) -> Pairs:
        # (x0 + x1*n)(1 + m*n) = x0 + (x1 + m*x0)*n
        n = self._n
        plaintexts = integers_from_words(words)
        z1 = [(x1 + (m + offset) % n * x0) % n for x0, x1, m in zip(*batch, plaintexts, strict=True)]
        return Pairs(batch.x0, _compact(z1))

    def product(self, batch: Pairs, outer: int, terms: int, inner: int) -> Pairs:
        z0: list[mpz] = []
        z1: list[mpz] = []
        for first in (o * terms * inner + i for o in range(outer) for i in range(inner)):
            last = first + terms * inner
            low, high = mpz(1), mpz(0)
            for y0, y1 in zip(batch.x0[first:last:inner], batch.x1[first:last:inner], strict=True):
                low, high = self._product_pair(low, high, y0, y1)
            z0.append(low)
            z1.append(high)
        return _pairs(z0, z1)

    def grouped_product(self, batch: Pairs, keys: npt.NDArray[np.int64], groups: int) -> Pairs:
        z0, z1 = [mpz(1)] * groups, [mpz(0)] * groups
        for key, x0, x1 in zip(keys.tolist(), batch.x0, batch.x1, strict=True):
            z0[key], z1[key] = self._product_pair(z0[key], z1[key], x0, x1)
        return _pairs(z0, z1)

    def invert(self, batch: Pairs) -> Pairs:
        # With v = 1/x0 mod n and x0*v = 1 + t*n:  1/X = v - v*(t + x1*v)*n  (mod n^2)
        n = self._n
        inverses = self._invert_mod_n(batch.x0)
        z1 = [-v * (f_divmod(x0 * v, n)[0] + x1 * v) % n for x0, x1, v in zip(*batch, inverses, strict=True)]
        return _pairs(inverses, z1)

    def _invert_mod_n(self, values: list[mpz]) -> list[mpz]:
        """Simultaneous inversion (Montgomery's trick): one inversion and three products a value."""
        n = self._n
        prefixes = [mpz(1)]
        for value in values:
            prefixes.append(prefixes[-1] * value % n)
        try:
            inverse = invert(prefixes.pop(), n)
        except ZeroDivisionError:
            raise InvalidCiphertextError from None
        inverses: list[mpz] = []
        for value, prefix in zip(reversed(values), reversed(prefixes), strict=True):
            inverses.append(inverse * prefix % n)
            inverse = inverse * value % n
        return inverses[::-1]

    def power_vartime(self, batch: Pairs, exponents: Sequence[int]) -> Pairs:
        if self._n.bit_length() > _MOST_BITS_AT_ONCE:
            powers = [self._power(x0, x1, mpz(e)) for x0, x1, e in zip(*batch, exponents, strict=True)]
            return _pairs([low for low, _ in powers], [high for _, high in powers])
        return self.load(
            _at_checkpoints(
                powmod(value, exponent, self._n_squared)
                for value, exponent in zip(self._canonical(batch), exponents, strict=True)
            )
        )

    def _power(self, x0: mpz, x1: mpz, exponent: mpz) -> tuple[mpz, mpz]:
        """Sliding windows over pairs: for long n as fast as one call of GMP, which would not answer signals."""
        window = min(range(1, 8), key=lambda w: (1 << (w - 1)) + exponent.bit_length() // (w + 1))
        square = self._product_pair(x0, x1, x0, x1)
        odd = [(x0, x1)]
        while len(odd) < 1 << (window - 1):
            odd.append(self._product_pair(*odd[-1], *square))
        low, high = mpz(1), mpz(0)
        last = exponent.bit_length()
        while last:
            first = last - 1
            if exponent.bit_test(first):  # the longest digit from there that ends in a one
                first = exponent.bit_scan1(max(last - window, 0))
            low, high = self._squares(low, high, last - first)
            if digit := int(exponent >> first) & ((1 << (last - first)) - 1):
                low, high = self._product_pair(low, high, *odd[digit >> 1])
            last = first
        return low, high

    def _squares(self, low: mpz, high: mpz, times: int) -> tuple[mpz, mpz]:
        """The pair squared that many times."""
        n = self._n
        checkpoint()
        for _ in range(times):
            m, square = f_divmod(low * low, n)
            low, high = square, (2 * low * high + m) % n
        return low, high

    def power_secret(self, batch: Pairs, exponents: Words) -> Pairs:
        # An exponent of zero has no digits, and takes no time: SECURITY.md excludes it (it is public in every use we
        # make of this function).
        return self.load(
            _power_secret(value, exponent, self._n_squared)
            for value, exponent in zip(self._canonical(batch), integers_from_words(exponents), strict=True)
        )

    def matrix_power_vartime(self, matrix: Sequence[Sequence[int]], batch: Pairs) -> Pairs:
        """Straus' method with one table of 2^w - 1 powers a column, shared by all rows."""
        bits = max((entry.bit_length() for row in matrix for entry in row), default=0)
        window = _straus_window(bits, len(matrix))
        tables = [self._small_powers(x0, x1, window) for x0, x1 in zip(*batch, strict=True)]
        results = [self._straus_row(tables, row, bits, window) for row in matrix]
        return _pairs([low for low, _ in results], [high for _, high in results])

    def _small_powers(self, x0: mpz, x1: mpz, window: int) -> list[tuple[mpz, mpz]]:
        powers = [(mpz(1), mpz(0)), (x0, x1)]
        while len(powers) < 1 << window:
            powers.append(self._product_pair(*powers[-1], x0, x1))
        return powers

    def _straus_row(
        self, tables: list[list[tuple[mpz, mpz]]], row: Sequence[int], bits: int, window: int
    ) -> tuple[mpz, mpz]:
        mask = (1 << window) - 1
        low, high = mpz(1), mpz(0)
        for shift in reversed(range(0, bits, window)):
            low, high = self._squares(low, high, window)
            for table, exponent in zip(tables, row, strict=True):
                if digit := (exponent >> shift) & mask:
                    low, high = self._product_pair(low, high, *table[digit])
        return low, high

    def fixed_base(self, base: int, bits: int, window: int) -> GmpFixedBase:
        return GmpFixedBase(self._n, mpz(base), bits, window)


def _at_checkpoints(values: Iterable[mpz]) -> Iterator[mpz]:
    for value in values:
        checkpoint()
        yield value


def _power_secret(x: mpz, exponent: mpz, modulus: mpz) -> mpz:
    """X to a secret exponent, by digits of which each is a short call of GMP.

    A digit is long enough that none is 0 (powmod_sec takes no such) but with exponents that are no secrets.
    """
    bits = max(_MOST_SECRET_WORK // modulus.bit_length() ** 2, 128)
    power = mpz(1)
    for first in reversed(range(0, exponent.bit_length(), bits)):
        checkpoint()
        if power != 1:
            power = powmod(power, mpz(1) << bits, modulus)  # a public exponent
        if digit := f_mod_2exp(exponent >> first, bits):
            power = power * powmod_sec(x, digit, modulus) % modulus
    return power


def _straus_window(bits: int, rows: int) -> int:
    """Window with the fewest products a column: 2^w - 2 for its table, then one a digit and row."""
    return min(range(1, 9), key=lambda w: (1 << w) + rows * -(-bits // w))


class _Log(NamedTuple):
    """A unit Y = y0*(1 + log*n) mod n^2 in logarithmic form, with its inverse mod n."""

    y0: mpz
    inverse: mpz
    log: mpz


class GmpFixedBase(FixedBase[Pairs]):
    """Powers of one base B in logarithmic form: entry d of row r is B^((d - 2^(window-1)) * 2^(window*r)).

    A product Y*Z with y0*z0 = m*n + x0 has log_Y + log_Z + m/x0, and 1/x0 = 1/y0 * 1/z0: three products modulo n an
    entry and one inversion in all. The inverse of an entry costs one: with 1/y0 = v mod n and y0*v = 1 + t*n it is
    v*(1 - (t + log)*n). Digits therefore stand for -2^(window-1) to 2^(window-1) - 1, and a power starts from the
    constant that makes up for it.
    """

    def __init__(self, n: mpz, base: mpz, bits: int, window: int) -> None:
        self._n = n
        self.bits, self.window = bits, window
        self._y0: list[list[mpz]] = []
        self._logs: list[list[mpz]] = []
        high, y0 = f_divmod(base, n)
        inverse = invert(y0, n)
        unit, self._start = _Log(y0, inverse, high * inverse % n), _Log(mpz(1), mpz(1), mpz(0))
        for _ in range(-(-bits // window)):
            checkpoint()
            row, logs, half = self._row(unit)
            self._y0.append(_compact(row))
            self._logs.append(_compact(logs))
            self._start = self._product(self._start, half)
            unit = self._product(half, half)
        self.table_bytes = sum(x.__sizeof__() + 8 for row in (*self._y0, *self._logs) for x in row)

    def _product(self, left: _Log, right: _Log) -> _Log:
        n = self._n
        m, y0 = f_divmod(left.y0 * right.y0, n)
        inverse = left.inverse * right.inverse % n
        return _Log(y0, inverse, (left.log + right.log + m * inverse) % n)

    def _row(self, unit: _Log) -> tuple[list[mpz], list[mpz], _Log]:
        """The powers -2^(window-1) to 2^(window-1) - 1 of a unit, their logarithms, and its 2^(window-1)-th power."""
        n, (b0, b_inverse, b_log) = self._n, unit
        y0, inverse, log = mpz(1), mpz(1), mpz(0)
        row, logs, negative_row, negative_logs = [y0], [log], [], []
        for _ in range(1 << (self.window - 1)):
            # As in _product, without its tuples: they would cost a fifth of the time.
            m, y0 = f_divmod(y0 * b0, n)
            inverse = inverse * b_inverse % n
            log = (log + b_log + m * inverse) % n
            row.append(y0)
            logs.append(log)
            negative_row.append(inverse)
            negative_logs.append(-(y0 * inverse // n + log))
        return negative_row[::-1] + row[:-1], negative_logs[::-1] + logs[:-1], _Log(y0, inverse, log)

    def power_secret(self, exponents: Words) -> Pairs:
        digits = digits_from_words(exponents, self.bits, self.window)
        if len(digits) < _ROWS_OUTSIDE_FROM:
            powers = [self._power(own) for own in digits]
            return Pairs([low for low, _ in powers], [high for _, high in powers])
        return self._powers_by_rows(digits)

    def _power(self, digits: list[int]) -> tuple[mpz, mpz]:
        n = self._n
        x0, a, log = self._start.y0, mpz(0), self._start.log
        for row, row_logs, digit in zip(self._y0, self._logs, digits, strict=True):
            y0 = row[digit]
            m, x0 = f_divmod(x0 * y0, n)
            a = (a * y0 + m) % n
            log += row_logs[digit]
        return x0, (x0 * log + a) % n

    def _powers_by_rows(self, digits: list[list[int]]) -> Pairs:
        """The same for many: a row stays in the cache for all exponents, which is worth 12 to 17 %."""
        n, count = self._n, len(digits)
        x0, a, logs = [self._start.y0] * count, [mpz(0)] * count, [self._start.log] * count
        for row, row_logs, column in zip(self._y0, self._logs, zip(*digits, strict=True), strict=True):
            checkpoint()
            for i, digit in enumerate(column):
                y0 = row[digit]
                m, x0[i] = f_divmod(x0[i] * y0, n)
                a[i] = (a[i] * y0 + m) % n
                logs[i] += row_logs[digit]
        return _pairs(x0, [(x * log + high) % n for x, log, high in zip(x0, logs, a, strict=True)])


class GmpDecryptor(Decryptor):
    """m mod p = L(c^(p-1) mod p^2) * h_p with L(u) = (u - 1)/p and h_p = -1/q mod p; then CRT.

    P. Paillier, "Public-key cryptosystems based on composite degree residuosity classes", section 7.
    """

    def __init__(self, p: int, q: int) -> None:
        self._p, self._q = mpz(p), mpz(q)
        self._p_squared, self._q_squared = self._p**2, self._q**2
        self._h_p = invert(-self._q, self._p)
        self._h_q = invert(-self._p, self._q)
        self._p_inverse = invert(self._p, self._q)

    def decrypt(self, ring: AnyRing, batch: Any, offset: int) -> Words:
        ring.checked(batch)
        n = ring.n
        plaintexts = [(self._decrypt(mpz(c)) + offset) % n for c in ring.store(batch)]
        return words_from_integers(plaintexts, ring.plaintext_words)

    def _decrypt(self, c: mpz) -> mpz:
        m_p = self._logarithm(c, self._p, self._p_squared) * self._h_p % self._p
        m_q = self._logarithm(c, self._q, self._q_squared) * self._h_q % self._q
        return m_p + self._p * ((m_q - m_p) * self._p_inverse % self._q)

    @staticmethod
    def _logarithm(c: mpz, prime: mpz, prime_squared: mpz) -> mpz:
        log, one = f_divmod(_power_secret(c % prime_squared, prime - 1, prime_squared), prime)
        if one != 1:  # Fermat: c was no unit, or the machine made a mistake
            raise InvalidCiphertextError
        return log


class GmpEngine(Engine):
    """gmpy2 on one core; it holds the GIL, so more cores mean more processes."""

    name = "gmp"
    max_key_length = 1 << 20
    tuning = Tuning(
        workers="processes",
        # Tasks of about 0.1 s at 2048 bits, where one costs some ms: benchmarks/operations/test_operations.py.
        encrypt_task=256,
        decrypt_task=32,
        multiply_task=16384,
        carry_products=4,  # storing and loading a residue take as long as 1.4 products, half of it in one process
        entry_cost=1.0,  # measured against the steps of single powers, which miss the cache more than those of batches
        min_window=1,
        max_window=8,  # 2048 bits: 20 MB; one more bit doubles that for 6 % less time a power
    )

    def describe(self) -> dict[str, Any]:
        return {"target": gmpy2.mp_version(), "lanes": 1, "version": gmpy2.version()}

    def ring(self, n: int) -> GmpRing:
        return GmpRing(n)

    def decryptor(self, p: int, q: int) -> GmpDecryptor:
        return GmpDecryptor(p, q)
