"""The public side: keys that encrypt, and single encrypted numbers."""

from __future__ import annotations

import secrets
import warnings
from functools import cached_property
from numbers import Integral
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import AnyRing, Words, words_from_integers
from vecphe.array import EncryptedArray
from vecphe.array_functions import signed_power
from vecphe.errors import (
    InsecureKeyWarning,
    InvalidKeyError,
    InvalidPlaintextError,
    KeyMismatchError,
)
from vecphe.keys import PublicKey
from vecphe.numbers import GREATEST_KEY_LENGTH, SECURE_KEY_LENGTH, PublicNumbers
from vecphe.phe.encoding import EncodedNumber, check_encoded, checked_exponent, exponent_factor
from vecphe.phe.pool import RandomizerPool
from vecphe.randomizers import textbook_randomizers

__all__ = ["EncryptedNumber", "PaillierPublicKey"]

_TEXTBOOK_BELOW = 1024  # bits; a base and its table are for keys that are used in earnest

_warned = False


def _warn_once(length: int) -> None:
    """One warning a process: a test suite makes hundreds of short keys."""
    global _warned
    if length < SECURE_KEY_LENGTH and not _warned:
        _warned = True
        warnings.warn(
            f"a {length}-bit Paillier key is insecure: for tests only (shown once)", InsecureKeyWarning, stacklevel=3
        )


class PaillierPublicKey:
    """Encrypts single numbers, and whole numpy arrays.

    Parameters
    ----------
    n : int
        Modulus. It is not examined for factors, as in phe; an n that no engine computes with (even, below 9 or longer
        than 16384 bits) can be held and compared, and is refused when it is computed with.

    Attributes
    ----------
    n, g, nsquare : int
        The modulus, ``n + 1`` and ``n**2``.
    max_int : int
        Largest integer that is encoded; may be changed.
    """

    def __init__(self, n: int) -> None:
        if isinstance(n, (bool, np.bool_)) or not isinstance(n, Integral):
            raise TypeError(f"n must be an int, not {type(n).__name__}")
        self._n: int = int(n)
        self.max_int: int = self._n // 3 - 1
        _warn_once(self._n.bit_length())

    @property
    def n(self) -> int:
        """The modulus."""
        return self._n

    @property
    def g(self) -> int:
        """The generator n + 1."""
        return self._n + 1

    @cached_property
    def nsquare(self) -> int:
        """The modulus of ciphertexts, n squared."""
        return self._n**2

    @cached_property
    def _numbers(self) -> PublicNumbers:
        if not 8 < self._n < 1 << GREATEST_KEY_LENGTH or self._n % 2 == 0:
            raise InvalidKeyError(f"n must be odd, above 8 and of at most {GREATEST_KEY_LENGTH} bits to compute with")
        return PublicNumbers(self._n)

    @cached_property
    def _key(self) -> PublicKey:
        """The key of the library, made when something is first computed."""
        return PublicKey._from_numbers(self._numbers, "textbook" if self._n.bit_length() < _TEXTBOOK_BELOW else "djn")

    @cached_property
    def _ring(self) -> AnyRing:
        return self._key._source.ring

    @cached_property
    def _pool(self) -> RandomizerPool:
        return RandomizerPool(self._key._source)

    def __repr__(self) -> str:
        return f"<PaillierPublicKey {f'{hash(self):x}'[:10]}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PaillierPublicKey) and self._n == other._n

    def __hash__(self) -> int:
        return hash(self._n)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_key, (self._n,), {"max_int": self.max_int}

    def get_random_lt_n(self) -> int:
        """Return a random number in [1, n), from the operating system."""
        return secrets.randbelow(self._n - 1) + 1

    @overload
    def encrypt(self, value: npt.NDArray[Any], precision: None = None, r_value: None = None) -> EncryptedArray: ...

    @overload
    def encrypt(
        self, value: float | EncodedNumber, precision: float | None = None, r_value: int | None = None
    ) -> EncryptedNumber: ...

    def encrypt(
        self,
        value: float | EncodedNumber | npt.NDArray[Any],
        precision: float | None = None,
        r_value: int | None = None,
    ) -> EncryptedNumber | EncryptedArray:
        """Encrypt a number, or an array of them.

        Parameters
        ----------
        value : int, float, EncodedNumber or ndarray
            An ndarray of any shape gives an EncryptedArray, many times faster than a loop.
        precision : float, optional
            Largest absolute error that does not matter; by default floats are exact.
        r_value : int, optional
            Randomizer root, in [1, n) and coprime to n; by default drawn at random, as it should be.

        Raises
        ------
        TypeError
            If `value` is no number, or an array comes with `precision` or `r_value`.
        ValueError, OverflowError
            See `EncodedNumber.encode`.
        """
        if isinstance(value, np.ndarray):
            if precision is not None or r_value is not None:
                raise TypeError("an array is encrypted without precision and r_value; use vecphe.PublicKey for options")
            return self._key.encrypt(value)
        if not isinstance(value, EncodedNumber):
            value = EncodedNumber.encode(self, value, precision)
        return self.encrypt_encoded(value, r_value)

    def encrypt_encoded(self, encoding: EncodedNumber, r_value: int | None) -> EncryptedNumber:
        """Encrypt an encoded number; `r_value` as in `encrypt`.

        Raises
        ------
        KeyMismatchError
            A ValueError, if it was encoded for another key.
        TypeError
            If its encoding or its exponent is no int.
        InvalidPlaintextError
            A ValueError, if its exponent is beyond 65536 either way.
        """
        check_encoded(encoding, self)
        residue = self._encrypted(encoding.encoding, r_value)
        return EncryptedNumber._of(self, residue, int(encoding.exponent), r_value is None)

    def raw_encrypt(self, plaintext: int, r_value: int | None = None) -> int:
        """Ciphertext of an integer mod n.

        Raises
        ------
        TypeError
            If `plaintext` is no int.
        """
        if not isinstance(plaintext, int):
            raise TypeError(f"plaintext must be an int, not {type(plaintext).__name__}")
        return self._ring.store(self._encrypted(plaintext, r_value))[0]

    def _encrypted(self, plaintext: int, r_value: int | None) -> Any:
        if r_value is None:
            randomizer = self._pool.take()
        elif not isinstance(r_value, int):
            raise TypeError(f"r_value must be an int, not {type(r_value).__name__}")
        else:
            randomizer = textbook_randomizers(self._ring, [r_value])
        return self._multiplied(randomizer, plaintext)

    def _multiplied(self, residue: Any, plaintext: int) -> Any:
        """The residue times 1 + plaintext*n."""
        ring = self._ring
        words: Words = words_from_integers([plaintext % self._n], ring.plaintext_words)
        return ring.multiply_plain(residue, words, 0)

    def _loaded(self, ciphertext: int) -> Any:
        """The batch of one ciphertext from outside, known to be in Z*_{n^2}."""
        return self._ring.checked(self._ring.load([ciphertext]))

    def _power(self, residue: Any, plaintext: int) -> Any:
        """The residue to an integer mod n, those in the negative range by its inverse."""
        return signed_power(self._ring, residue, [plaintext - self._n if self._is_negative(plaintext) else plaintext])

    def _is_negative(self, plaintext: int) -> bool:
        return plaintext >= self._n - self.max_int


class EncryptedNumber:
    """One encrypted int or float. Made by `PaillierPublicKey.encrypt`, or from a ciphertext of somebody else.

    Supports ``+``, ``-``, ``*`` and ``/`` by plain numbers, ``+`` and ``-`` by encrypted ones, and `sum`.

    Parameters
    ----------
    public_key : PaillierPublicKey
    ciphertext : int
        Checked to be a ciphertext when it is computed with.
    exponent : int
        That of the encoding.

    Raises
    ------
    TypeError
        If the arguments are not of these types.

    Notes
    -----
    Results of arithmetic are not re-randomised until `ciphertext` gives them away.
    """

    def __init__(self, public_key: PaillierPublicKey, ciphertext: int, exponent: int = 0) -> None:
        if not isinstance(public_key, PaillierPublicKey):
            raise TypeError(f"public_key must be a PaillierPublicKey, not {type(public_key).__name__}")
        if isinstance(ciphertext, bool) or not isinstance(ciphertext, int):
            raise TypeError(f"ciphertext must be an int, not {type(ciphertext).__name__}")
        self._set(public_key, None, ciphertext, checked_exponent(exponent), False)

    def _set(
        self, public_key: PaillierPublicKey, residue: Any, ciphertext: int | None, exponent: int, obfuscated: bool
    ) -> None:
        """`residue` is the valid ciphertext in the engine's form, `ciphertext` the integer; one may be None."""
        self._public_key = public_key
        self._residue = residue
        self.__ciphertext = ciphertext
        self.exponent = exponent
        self.__is_obfuscated = obfuscated

    @classmethod
    def _of(
        cls, public_key: PaillierPublicKey, residue: Any, exponent: int, obfuscated: bool = False
    ) -> EncryptedNumber:
        number = cls.__new__(cls)
        number._set(public_key, residue, None, exponent, obfuscated)
        return number

    @property
    def public_key(self) -> PaillierPublicKey:
        """The key it was encrypted for."""
        return self._public_key

    @public_key.setter
    def public_key(self, public_key: PaillierPublicKey) -> None:
        # The integer is what stays; whether it is a ciphertext of the new key is seen when it is computed with.
        self.__init__(public_key, self.ciphertext(be_secure=False), self.exponent)  # type: ignore[misc]

    def __copy__(self) -> EncryptedNumber:
        copied = self.__class__.__new__(self.__class__)
        copied._set(self._public_key, self._residue, self.__ciphertext, self.exponent, self.__is_obfuscated)
        return copied

    def __deepcopy__(self, memo: Any) -> EncryptedNumber:
        return self.__copy__()  # all it refers to is immutable or shared on purpose

    def __reduce__(self) -> tuple[Any, ...]:
        leaving = self.__copy__()
        return _restore, (self._public_key, leaving.ciphertext(), self.exponent)

    def ciphertext(self, be_secure: bool = True) -> int:
        """Ciphertext as an integer in [1, n**2).

        Parameters
        ----------
        be_secure : bool
            Re-randomise the number first where that has not been done since it was computed. Without it, whoever
            sees the ciphertext may find out which plain numbers went into it.
        """
        if be_secure and not self.__is_obfuscated:
            self.obfuscate()
        if self.__ciphertext is None:
            self.__ciphertext = self._public_key._ring.store(self._residue)[0]
        return self.__ciphertext

    def obfuscate(self) -> None:
        """Re-randomise in place: the same plaintext under a fresh randomizer."""
        key = self._public_key
        self._residue = key._ring.multiply(self._valid(), key._pool.take())
        self.__ciphertext = None
        self.__is_obfuscated = True

    def _unchecked(self) -> Any:
        """The resident form; of a ciphertext from outside only its range is checked, as decryption does the rest."""
        if self._residue is not None:
            return self._residue
        return self._public_key._ring.load([self.ciphertext(be_secure=False)])

    def _valid(self) -> Any:
        """The resident form, of a ciphertext from outside after a check that it is one."""
        if self._residue is None:
            self._residue = self._public_key._loaded(self.ciphertext(be_secure=False))
        return self._residue

    def decrease_exponent_to(self, new_exp: int) -> EncryptedNumber:
        """Give the same number at a lower exponent, so that it can be added to others.

        Raises
        ------
        ValueError
            If `new_exp` is above the exponent, or so far below that no number could fit the key.
        """
        factor = exponent_factor(self.exponent, new_exp, EncodedNumber.BASE)
        if factor > self._public_key.max_int:
            raise InvalidPlaintextError("exponents are too far apart for this key: nothing fits at the lower one")
        residue = self._public_key._power(self._valid(), factor) if factor > 1 else self._valid()
        return EncryptedNumber._of(self._public_key, residue, new_exp)

    def __add__(self, other: Any) -> EncryptedNumber:
        if isinstance(other, EncryptedNumber):
            return self._add_encrypted(other)
        return self._add_encoded(self._encoded(other, self.exponent))

    __radd__ = __add__

    def __sub__(self, other: Any) -> EncryptedNumber:
        if isinstance(other, EncryptedNumber):
            return self + other * -1
        return self._add_encoded(_negated(self._encoded(other, self.exponent)))

    def __rsub__(self, other: Any) -> EncryptedNumber:
        return self.__mul__(-1).__add__(other)

    def __mul__(self, other: Any) -> EncryptedNumber:
        if isinstance(other, EncryptedNumber):
            raise NotImplementedError("a product of two encrypted numbers cannot be computed: Paillier only adds")
        encoded = self._encoded(other)
        exponent = checked_exponent(checked_exponent(self.exponent) + encoded.exponent)
        residue = self._public_key._power(self._valid(), encoded.encoding)
        return EncryptedNumber._of(self._public_key, residue, exponent)

    __rmul__ = __mul__

    def __truediv__(self, scalar: Any) -> EncryptedNumber:
        if isinstance(scalar, (EncryptedNumber, EncodedNumber, EncryptedArray)):
            raise TypeError(f"an encrypted number can be divided by a plain number, not by an {type(scalar).__name__}")
        return self.__mul__(1 / scalar)

    def _encoded(self, other: Any, max_exponent: int | None = None) -> EncodedNumber:
        """A plain operand, encoded for this key."""
        if isinstance(other, EncryptedArray):
            raise TypeError(
                "a single encrypted number and an EncryptedArray cannot be combined as they are, and never multiplied; "
                "to add them, vecphe.from_phe(public_key, number, max_abs) makes an array of the number, "
                "vecphe.to_phe(array, vecphe.phe) numbers of the array"
            )
        if not isinstance(other, EncodedNumber):
            return EncodedNumber.encode(self._public_key, other, max_exponent=max_exponent)
        check_encoded(other, self._public_key)
        return other

    def _add_encoded(self, encoded: EncodedNumber) -> EncryptedNumber:
        lower = min(self.exponent, encoded.exponent)
        number, encoded = _lowered(self, lower), _lowered(encoded, lower)
        residue = self._public_key._multiplied(number._valid(), encoded.encoding)
        return EncryptedNumber._of(self._public_key, residue, lower)

    def _add_encrypted(self, other: EncryptedNumber) -> EncryptedNumber:
        if other.public_key != self._public_key:
            raise KeyMismatchError("numbers of different keys cannot be combined")
        lower = min(self.exponent, other.exponent)
        left, right = _lowered(self, lower)._valid(), _lowered(other, lower)._valid()
        return EncryptedNumber._of(self._public_key, self._public_key._ring.multiply(left, right), lower)

    def _raw_add(self, e_a: int, e_b: int) -> int:
        """Ciphertext of the sum of two ciphertexts' plaintexts."""
        key = self._public_key
        return key._ring.store(key._ring.multiply(key._loaded(e_a), key._loaded(e_b)))[0]

    def _raw_mul(self, plaintext: int) -> int:
        """Ciphertext of the product with an integer mod n."""
        key = self._public_key
        if not isinstance(plaintext, int):
            raise TypeError(f"plaintext must be an int, not {type(plaintext).__name__}")
        if not 0 <= plaintext < key.n:
            raise InvalidPlaintextError("plaintext must be in [0, n)")
        return key._ring.store(key._power(self._valid(), plaintext))[0]


def _restore_key(n: int) -> PaillierPublicKey:
    """Unpickle: the process that made the key has warned of a short one, so each of its workers does not."""
    key = PaillierPublicKey.__new__(PaillierPublicKey)
    key._n = n
    return key


def _restore(public_key: PaillierPublicKey, ciphertext: int, exponent: int) -> EncryptedNumber:
    """Unpickle: it was re-randomised on its way out, and is validated again when it is computed with."""
    number = EncryptedNumber(public_key, ciphertext, exponent)
    number._EncryptedNumber__is_obfuscated = True  # type: ignore[attr-defined]
    return number


@overload
def _lowered(number: EncryptedNumber, exponent: int) -> EncryptedNumber: ...


@overload
def _lowered(number: EncodedNumber, exponent: int) -> EncodedNumber: ...


def _lowered(number: EncryptedNumber | EncodedNumber, exponent: int) -> EncryptedNumber | EncodedNumber:
    return number if number.exponent == exponent else number.decrease_exponent_to(exponent)


def _negated(encoded: EncodedNumber) -> EncodedNumber:
    return encoded.__class__(encoded.public_key, -encoded.encoding % encoded.public_key.n, encoded.exponent)
