"""Signed integers and floats as plaintexts: an integer mod n and a public exponent of a base, as in phe."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import numpy as np

from vecphe.errors import InvalidPlaintextError, KeyMismatchError, PlaintextOverflowError
from vecphe.phe.foreign import name_of

__all__ = ["EncodedNumber", "EncodingKey", "check_encoded", "checked_exponent", "encoding_of_base", "exponent_factor"]

_GREATEST_EXPONENT = 1 << 16


class EncodingKey(Protocol):
    """What of a PaillierPublicKey is encoded with."""

    @property
    def n(self) -> int:
        """The modulus."""

    max_int: int


class EncodedNumber:
    """A number encoded for a key: it is worth ``signed(encoding) * BASE**exponent``.

    Encodings up to ``max_int`` are positive numbers, those from ``n - max_int`` negative ones; what lies between is
    where sums and products land that were too large.

    Parameters
    ----------
    public_key : PaillierPublicKey
    encoding : int
        In [0, n).
    exponent : int
        From -65536 to 65536, usually negative. Public, also once the number is encrypted.

    Notes
    -----
    Subclasses may set other values of `BASE` and `LOG2_BASE`; all who exchange numbers have to agree on them. Encrypted
    numbers made of them keep their base while they stay in this process.

    Examples
    --------
    >>> import vecphe.phe as phe
    >>> public_key, private_key = phe.generate_paillier_keypair(n_length=2048)
    >>> phe.EncodedNumber.encode(public_key, -3).decode()
    -3
    """

    BASE: ClassVar[int] = 16
    LOG2_BASE: ClassVar[float] = math.log(BASE, 2)
    FLOAT_MANTISSA_BITS: ClassVar[int] = 53

    def __init__(self, public_key: EncodingKey, encoding: int, exponent: int) -> None:
        self.public_key = public_key
        self.encoding = encoding
        self.exponent = exponent

    @classmethod
    def encode(
        cls,
        public_key: EncodingKey,
        scalar: float,
        precision: float | None = None,
        max_exponent: int | None = None,
    ) -> EncodedNumber:
        """Encode an int or float; floats exactly unless `precision` says otherwise.

        Parameters
        ----------
        public_key : PaillierPublicKey
        scalar : int or float
            Also numpy's scalars of up to 64 bits.
        precision : float, optional
            Largest absolute error that does not matter; it chooses the exponent.
        max_exponent : int, optional
            The exponent is this at most.

        Raises
        ------
        TypeError
            If `scalar` is no real number of these kinds, or `max_exponent` no int.
        ValueError
            For NaN, a precision that is not positive, and numbers that do not fit the key.
        OverflowError
            For infinity.
        """
        scalar = _plain_scalar(scalar)
        exponent = cls._exponent_of(scalar) if precision is None else _exponent_for(precision, cls.BASE)
        if max_exponent is not None:
            exponent = min(exponent, checked_exponent(max_exponent))
        mantissa = _rounded(scalar, cls.BASE, exponent)
        if abs(mantissa) > public_key.max_int:
            raise InvalidPlaintextError(
                f"the number does not fit: at exponent {exponent} it is beyond max_int of the "
                f"{public_key.n.bit_length()}-bit key; use a longer key or a larger precision"
            )
        return cls(public_key, mantissa % public_key.n, exponent)

    @classmethod
    def _exponent_of(cls, scalar: float) -> int:
        """The largest exponent that loses no bit of any float of this size; 0 for ints."""
        if isinstance(scalar, int):
            return 0
        lowest_bit = math.frexp(scalar)[1] - cls.FLOAT_MANTISSA_BITS
        return math.floor(lowest_bit / cls.LOG2_BASE)

    def decode(self) -> int | float:
        """Give the number: an int if the exponent is not negative, else the nearest float.

        Raises
        ------
        ValueError
            If the encoding is no integer mod n.
        OverflowError
            If it is in the band between positive and negative numbers, or too large for a float.
        """
        mantissa, exponent = self._signed(), checked_exponent(self.exponent)
        power: int = self.BASE ** abs(exponent)
        if exponent >= 0:
            return mantissa * power
        try:
            return mantissa / power  # true division of ints rounds once
        except OverflowError:
            raise PlaintextOverflowError("the decoded number is too large for a float") from None

    def _signed(self) -> int:
        n, greatest = self.public_key.n, self.public_key.max_int
        if self.encoding >= n:
            raise InvalidPlaintextError("the encoding is not below n: corrupted, or encoded for another key")
        if self.encoding <= greatest:
            return self.encoding
        if self.encoding >= n - greatest:
            return self.encoding - n
        raise PlaintextOverflowError("the encoding is in the overflow band: a sum or product was too large for the key")

    def decrease_exponent_to(self, new_exp: int) -> EncodedNumber:
        """Give the same number at a lower exponent; whether it still fits shows only when it is decoded.

        Raises
        ------
        ValueError
            If `new_exp` is above the exponent.
        """
        factor = exponent_factor(self.exponent, new_exp, self.BASE)
        return self.__class__(self.public_key, self.encoding * factor % self.public_key.n, new_exp)


def checked_exponent(exponent: Any) -> int:
    """An exponent as an int.

    Raises
    ------
    TypeError
        If it is no integer.
    InvalidPlaintextError
        If powers of it would not fit the memory; that is far beyond what any float needs.
    """
    if isinstance(exponent, (bool, np.bool_)) or not isinstance(exponent, (int, np.integer)):
        raise TypeError(f"an exponent must be an int, not {type(exponent).__name__}")
    plain = int(exponent)
    if abs(plain) > _GREATEST_EXPONENT:
        raise InvalidPlaintextError(f"an exponent must be from {-_GREATEST_EXPONENT} to {_GREATEST_EXPONENT}")
    return plain


def check_encoded(encoded: EncodedNumber, public_key: EncodingKey) -> None:
    """Refuse an encoded number that cannot be computed with under this key: its attributes can be set to anything.

    Raises
    ------
    KeyMismatchError
    TypeError
        If its encoding or its exponent is no int.
    InvalidPlaintextError
        If its exponent is out of range.
    """
    if encoded.public_key != public_key:
        raise KeyMismatchError("the number was encoded for another key; encode it for this one")
    if not isinstance(encoded.encoding, int):
        raise TypeError(
            f"an EncodedNumber's encoding must be an int, not {type(encoded.encoding).__name__}; "
            "EncodedNumber.encode makes one of a plain number"
        )
    checked_exponent(encoded.exponent)


def encoding_of_base(base: int | None) -> type[EncodedNumber]:
    """The class of encodings of a base; where none is known, phe's."""
    return EncodedNumber if base is None or base == EncodedNumber.BASE else _subclass(base)


@lru_cache(maxsize=64)
def _subclass(base: int) -> type[EncodedNumber]:
    return type(EncodedNumber.__name__, (EncodedNumber,), {"BASE": base, "LOG2_BASE": math.log(base, 2)})


def exponent_factor(exponent: int, new_exponent: int, base: int) -> int:
    """What an encoding is multiplied by when its exponent is lowered."""
    exponent = checked_exponent(exponent)
    if checked_exponent(new_exponent) > exponent:
        raise InvalidPlaintextError(
            f"exponent {exponent} can only be decreased, not changed to {new_exponent}: that would lose digits"
        )
    factor: int = base ** (exponent - new_exponent)
    return factor


def _plain_scalar(scalar: Any) -> int | float:
    """The number as an int or float, exactly."""
    if isinstance(scalar, (int, float)):
        return scalar
    if isinstance(scalar, (np.integer, np.bool_)):
        return int(scalar)
    if isinstance(scalar, np.floating) and scalar.dtype.itemsize <= 8:
        return float(scalar)
    raise TypeError(f"a number must be an int or a float, not {name_of(scalar)}")


def _exponent_for(precision: float, base: int) -> int:
    if not isinstance(precision, (int, float, np.integer, np.floating)):
        raise TypeError(f"precision must be a positive number, not {type(precision).__name__}")
    if precision == math.inf:
        raise OverflowError("precision must be finite")
    if not precision > 0:  # nor NaN
        raise ValueError("precision must be positive")
    return math.floor(math.log(precision, base))


def _rounded(scalar: float, base: int, exponent: int) -> int:
    """``round_half_even(scalar / base**exponent)``, exactly."""
    if isinstance(scalar, int):
        numerator, denominator = scalar, 1
    elif math.isnan(scalar):
        raise InvalidPlaintextError("NaN cannot be encoded")
    elif math.isinf(scalar):
        raise PlaintextOverflowError("infinity cannot be encoded")
    else:
        numerator, denominator = scalar.as_integer_ratio()
    power: int = base ** abs(exponent)
    if exponent <= 0:
        numerator *= power
    else:
        denominator *= power
    quotient, remainder = divmod(numerator, denominator)
    up = 2 * remainder > denominator or (2 * remainder == denominator and quotient % 2 == 1)
    return quotient + up
