"""The public side: keys that encrypt, and single encrypted numbers."""

from __future__ import annotations

import copy
import secrets
import warnings
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import AnyRing, Words, words_from_integers
from vecphe.array import EncryptedArray
from vecphe.array.powers import signed_power
from vecphe.errors import (
    InsecureKeyWarning,
    InvalidKeyError,
    InvalidPlaintextError,
    KeyMismatchError,
    PlaintextOverflowError,
)
from vecphe.keys import PublicKey
from vecphe.numbers.key_numbers import GREATEST_KEY_LENGTH, SECURE_KEY_LENGTH, PublicNumbers
from vecphe.phe.encoded import (
    EncodedNumber,
    check_encoded,
    checked_exponent,
    encoding_of_base,
    exponent_factor,
)
from vecphe.phe.foreign import name_of
from vecphe.phe.pool import RandomizerPool
from vecphe.plaintext.encoding import UNPACKED, FixedPoint, as_plain_array, exact_fraction_bits, is_encrypted_number
from vecphe.randomness.randomizers import textbook_randomizers

if TYPE_CHECKING:
    from typing_extensions import Self

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


class _Context:
    """What is computed with under an n, made when it is first wanted; a key and its copies share it."""

    def __init__(self, n: int) -> None:
        self.n = n

    @cached_property
    def numbers(self) -> PublicNumbers:
        if not 8 < self.n < 1 << GREATEST_KEY_LENGTH or self.n % 2 == 0:
            raise InvalidKeyError(f"n must be odd, above 8 and of at most {GREATEST_KEY_LENGTH} bits to compute with")
        return PublicNumbers(self.n)

    @cached_property
    def key(self) -> PublicKey:
        """The key of the library."""
        return PublicKey._from_numbers(self.numbers, "textbook" if self.n.bit_length() < _TEXTBOOK_BELOW else "djn")

    @cached_property
    def ring(self) -> AnyRing:
        return self.key._context.ring

    @cached_property
    def pool(self) -> RandomizerPool:
        return RandomizerPool(self.key._source)


Copied = TypeVar("Copied", bound="PaillierPublicKey | EncryptedNumber")


def _copied(value: Copied, memo: dict[int, Any] | None = None) -> Copied:
    """A copy with all attributes that were set (copies of them where there is a memo) and the same inner state."""
    kind = type(value)
    copied = kind.__new__(kind)
    for name in kind._INNER:
        setattr(copied, name, getattr(value, name))
    if memo is not None:
        memo[id(value)] = copied
    vars(copied).update(vars(value) if memo is None else copy.deepcopy(vars(value), memo))
    return copied


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

    Examples
    --------
    >>> import vecphe.phe as phe
    >>> public_key, private_key = phe.generate_paillier_keypair(n_length=2048)
    >>> import numpy as np
    >>> private_key.decrypt(public_key.encrypt(np.array([1.0, 2.0])))  # a whole array, which phe does not take
    array([1., 2.])
    """

    _INNER = ("_context",)
    __slots__ = ("__dict__", "__weakref__", *_INNER)  # vars() holds what it holds in phe

    _context: _Context

    def __init__(self, n: int) -> None:
        self._adopt(n)
        _warn_once(self.n.bit_length())

    def _adopt(self, n: int) -> None:
        if isinstance(n, (bool, np.bool_)) or not isinstance(n, Integral):
            raise TypeError(f"n must be an int, not {name_of(n)}")
        n = int(n)
        self._context = _Context(n)
        self.max_int: int = n // 3 - 1
        vars(self).update(n=n, g=n + 1, nsquare=n**2)

    @property
    def n(self) -> int:
        """The modulus."""
        return self._context.n

    @property
    def g(self) -> int:
        """The generator n + 1."""
        return self._context.n + 1

    @property
    def nsquare(self) -> int:
        """The modulus of ciphertexts, n squared."""
        nsquare: int = vars(self)["nsquare"]
        return nsquare

    @property
    def _numbers(self) -> PublicNumbers:
        return self._context.numbers

    @property
    def _key(self) -> PublicKey:
        return self._context.key

    @property
    def _ring(self) -> AnyRing:
        return self._context.ring

    @property
    def _pool(self) -> RandomizerPool:
        return self._context.pool

    def _taken(self, residue: Any, origin: PaillierPublicKey) -> Any:
        """The resident form here of a number of an equal key, which may compute on another engine."""
        return self._key._context.taken(residue, origin._key._context)

    def __repr__(self) -> str:
        if not hasattr(self, "_context"):
            return "<PaillierPublicKey without n>"
        return f"<PaillierPublicKey {f'{hash(self):x}'[:10]}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PaillierPublicKey) and self.n == other.n

    def __hash__(self) -> int:
        return hash(self.n)

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a pickle made here, or by phe under its name for this module; its maker was warned of a short key."""
        self._adopt(state["n"])
        vars(self).update({name: value for name, value in state.items() if name not in ("n", "g", "nsquare")})

    def __copy__(self) -> Self:
        return _copied(self)

    def __deepcopy__(self, memo: Any) -> Self:
        return _copied(self, memo)

    def get_random_lt_n(self) -> int:
        """Return a random number in [1, n), from the operating system."""
        return secrets.randbelow(self.n - 1) + 1

    @overload
    def encrypt(
        self, value: npt.NDArray[Any], precision: None = None, r_value: None = None, *, packed: bool = False
    ) -> EncryptedArray: ...

    @overload
    def encrypt(
        self, value: float | EncodedNumber, precision: float | None = None, r_value: int | None = None
    ) -> EncryptedNumber: ...

    def encrypt(
        self,
        value: float | EncodedNumber | npt.NDArray[Any],
        precision: float | None = None,
        r_value: int | None = None,
        *,
        packed: bool = False,
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
        packed : bool
            Of an array: several values a ciphertext, with the fixed point of ``vecphe.PublicKey.encrypt(packed=True)``.
            Not packed, arrays are as exact as single numbers.

        Raises
        ------
        TypeError
            If `value` is no number, an array comes with `precision` or `r_value`, or `packed` without an array.
        PlaintextOverflowError
            An OverflowError, if an array holds magnitudes so different that no scale of this key fits them all.
        ValueError, OverflowError
            See `EncodedNumber.encode`.
        """
        if isinstance(value, np.ndarray):
            if precision is not None or r_value is not None:
                raise TypeError("an array is encrypted without precision and r_value; use vecphe.PublicKey for options")
            values = as_plain_array(value, "value")
            return self._key.encrypt(values, packed=packed, encoding=None if packed else self._exact(values))
        if packed:
            raise TypeError(
                f"packed=True is for arrays, not {name_of(value)}; pass numpy.array([...]), or leave it out"
            )
        if not isinstance(value, EncodedNumber):
            value = EncodedNumber.encode(self, value, precision)
        return self.encrypt_encoded(value, r_value)

    def _exact(self, values: npt.NDArray[Any]) -> FixedPoint | None:
        """The encoding that rounds none of the values, as single numbers do; None where the default is one."""
        default = UNPACKED if values.dtype.kind == "f" else UNPACKED.integral
        bits = exact_fraction_bits(values)
        if bits <= default.fraction_bits and default.first_outside(values) is None:
            return None
        least, greatest = (int(end) for end in (values.min(), values.max()))
        power = max(-least, greatest, int(UNPACKED.max_abs) - 1).bit_length()
        if 1 << (power + bits) > self.n // 3 - 1:
            raise PlaintextOverflowError(
                f"the magnitudes in the array are too different for one scale of a {self.n.bit_length()}-bit key; "
                "encrypt the values one by one, which gives each its own, or use a longer key"
            )
        return FixedPoint(bits, 1 << power)

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
        return EncryptedNumber._of(self, residue, int(encoding.exponent), encoding.BASE, r_value is None)

    def raw_encrypt(self, plaintext: int, r_value: int | None = None) -> int:
        """Ciphertext of an integer mod n.

        Raises
        ------
        TypeError
            If `plaintext` is no int.
        """
        if not isinstance(plaintext, int):
            raise TypeError(f"plaintext must be an int, not {type(plaintext).__name__}")
        return self._stored(self._encrypted(plaintext, r_value))

    def _encrypted(self, plaintext: int, r_value: int | None) -> Any:
        if r_value is None:
            randomizer = self._pool.take()
        elif isinstance(r_value, bool) or not isinstance(r_value, int):
            raise TypeError(f"r_value must be an int, not {name_of(r_value)}")
        else:
            randomizer = textbook_randomizers(self._ring, [r_value])
        return self._multiplied(randomizer, plaintext)

    def _multiplied(self, residue: Any, plaintext: int) -> Any:
        """The residue times 1 + plaintext*n."""
        ring = self._ring
        words: Words = words_from_integers([plaintext % ring.n], ring.plaintext_words)
        return ring.multiply_plain(residue, words, 0)

    def _loaded(self, ciphertext: int) -> Any:
        """The batch of one ciphertext from outside, known to be in Z*_{n^2}."""
        return self._ring.checked(self._ring.load([ciphertext]))

    def _stored(self, residue: Any) -> int:
        """The ciphertext in a batch of one."""
        (ciphertext,) = self._ring.store(residue)
        return ciphertext

    def _power(self, residue: Any, plaintext: int) -> Any:
        """The residue to an integer mod n, those in the negative range by its inverse."""
        return signed_power(self._ring, residue, [plaintext - self.n if self._is_negative(plaintext) else plaintext])

    def _is_negative(self, plaintext: int) -> bool:
        return plaintext >= self.n - self.max_int


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

    Examples
    --------
    >>> import vecphe.phe as phe
    >>> public_key, private_key = phe.generate_paillier_keypair(n_length=2048)
    >>> x = public_key.encrypt(1.5)
    >>> private_key.decrypt((x + x) / 3)
    1.0
    """

    # The integer and the engine's form of a ciphertext stand for each other, and either may be absent: neither is for
    # vars(). `_base` is None where it is not known.
    _INNER = ("_base", "_context", "_integer", "_residue")
    __slots__ = ("__dict__", "__weakref__", *_INNER)

    _base: int | None
    _context: _Context | None
    _integer: int | None
    _residue: Any

    def __init__(self, public_key: PaillierPublicKey, ciphertext: int, exponent: int = 0) -> None:
        if not isinstance(public_key, PaillierPublicKey):
            raise TypeError(f"public_key must be a PaillierPublicKey, not {name_of(public_key)}")
        if isinstance(ciphertext, bool) or not isinstance(ciphertext, int):
            raise TypeError(f"ciphertext must be an int, not {name_of(ciphertext)}")
        self.public_key = public_key
        self.exponent = checked_exponent(exponent)
        self.__is_obfuscated = False
        self._base = self._context = self._residue = None
        self._integer = ciphertext

    @classmethod
    def _of(
        cls,
        public_key: PaillierPublicKey,
        residue: Any,
        exponent: int,
        base: int | None,
        obfuscated: bool = False,
    ) -> EncryptedNumber:
        """Of a valid ciphertext in the engine's form."""
        number = cls.__new__(cls)
        number.public_key = public_key
        number.exponent = exponent
        number.__is_obfuscated = obfuscated
        number._base, number._context, number._integer, number._residue = base, public_key._context, None, residue
        return number

    @property
    def __ciphertext(self) -> int:
        """What phe keeps under this name: the integer as it is now."""
        if self._integer is None:
            (self._integer,) = self._context.ring.store(self._residue)  # type: ignore[union-attr]
        return self._integer

    @__ciphertext.setter
    def __ciphertext(self, ciphertext: int) -> None:
        self._integer, self._context, self._residue = ciphertext, None, None

    def __copy__(self) -> Self:
        return _copied(self)

    def __deepcopy__(self, memo: Any) -> Self:
        return _copied(self, memo)

    def __getstate__(self) -> dict[str, Any]:
        leaving = self.__copy__()
        known = {} if self._base is None else {"_base": self._base}
        return {_CIPHERTEXT: leaving.ciphertext(), **vars(leaving), **known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a pickle made here, or by phe under its name for this module; validated when it is computed with."""
        rest = dict(state)
        EncryptedNumber.__init__(self, rest["public_key"], rest.pop(_CIPHERTEXT), rest["exponent"])
        self._base = rest.pop("_base", None)
        vars(self).update(rest)

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
        return self.__ciphertext

    def obfuscate(self) -> None:
        """Re-randomise in place: the same plaintext under a fresh randomizer."""
        key = self.public_key
        self._residue = key._ring.multiply(self._valid(), key._pool.take())
        self._integer = None
        self.__is_obfuscated = True

    def _unchecked(self) -> Any:
        """The resident form; of a ciphertext from outside only its range is checked, as decryption does the rest."""
        if self._context is self.public_key._context:
            return self._residue
        return self.public_key._ring.load([self.__ciphertext])

    def _valid(self) -> Any:
        """The resident form, of a ciphertext from outside, or of another key, after a check that it is one."""
        context = self.public_key._context
        if self._context is not context:
            integer = self.__ciphertext
            self._residue = self.public_key._loaded(integer)
            self._context, self._integer = context, integer
        return self._residue

    def _known_base(self) -> int | None:
        """The base that its exponent is to be read with; None for any, or where it is not known."""
        return self._base if self.exponent else None

    def decrease_exponent_to(self, new_exp: int) -> EncryptedNumber:
        """Give the same number at a lower exponent, so that it can be added to others.

        Raises
        ------
        ValueError
            If `new_exp` is above the exponent, or so far below that no number could fit the key.
        """
        return self._lowered(new_exp, self._known_base() or EncodedNumber.BASE)

    def _lowered(self, new_exp: int, base: int) -> EncryptedNumber:
        factor = exponent_factor(self.exponent, new_exp, base)
        if factor > self.public_key.max_int:
            raise InvalidPlaintextError("exponents are too far apart for this key: nothing fits at the lower one")
        return EncryptedNumber._of(self.public_key, self.public_key._power(self._valid(), factor), new_exp, base)

    def __add__(self, other: Any) -> EncryptedNumber:
        if isinstance(other, EncryptedNumber):
            return self._add_encrypted(other)
        return self._plus(self._encoded(other, self.exponent))

    __radd__ = __add__

    def __sub__(self, other: Any) -> EncryptedNumber:
        if isinstance(other, EncryptedNumber):
            return self + other * -1
        return self._plus(_negated(self._encoded(other, self.exponent)))

    def __rsub__(self, other: Any) -> EncryptedNumber:
        return self.__mul__(-1).__add__(other)

    def __mul__(self, other: Any) -> EncryptedNumber:
        if isinstance(other, EncryptedNumber):
            raise NotImplementedError("a product of two encrypted numbers cannot be computed: Paillier only adds")
        encoded = self._encoded(other)
        exponent = checked_exponent(checked_exponent(self.exponent) + encoded.exponent)
        base = _common_base(self._known_base(), _base_of(encoded))
        residue = self.public_key._power(self._valid(), encoded.encoding)
        return EncryptedNumber._of(self.public_key, residue, exponent, self._base if base is None else base)

    __rmul__ = __mul__

    def __truediv__(self, scalar: Any) -> EncryptedNumber:
        if isinstance(scalar, (EncodedNumber, EncryptedArray)) or is_encrypted_number(scalar):
            raise TypeError(f"an encrypted number can be divided by a plain number, not by an {type(scalar).__name__}")
        return self.__mul__(1 / scalar)

    def _encoded(self, other: Any, max_exponent: int | None = None) -> EncodedNumber:
        """A plain operand, encoded for this key in the base of this number."""
        if isinstance(other, EncryptedArray):
            raise TypeError(
                "a single encrypted number and an EncryptedArray cannot be combined as they are, and never multiplied; "
                "to add them, vecphe.from_phe(public_key, number, max_abs) makes an array of the number, "
                "vecphe.to_phe(array, vecphe.phe) numbers of the array"
            )
        if not isinstance(other, EncodedNumber):
            kind = encoding_of_base(self._known_base())
            return kind.encode(self.public_key, other, max_exponent=max_exponent)
        check_encoded(other, self.public_key)
        return other

    def _add_scalar(self, scalar: float) -> EncryptedNumber:
        """The sum with a plain number."""
        return self._plus(self._encoded(scalar, self.exponent))

    def _add_encoded(self, encoded: EncodedNumber) -> EncryptedNumber:
        """The sum with an encoded number."""
        check_encoded(encoded, self.public_key)
        return self._plus(encoded)

    def _plus(self, encoded: EncodedNumber) -> EncryptedNumber:
        """The sum with what `_encoded` gave, or checks of its kind."""
        key, number, mantissa, base = self.public_key, self, encoded.encoding, self._base
        if base != encoded.BASE or self.exponent != encoded.exponent:
            lower = min(self.exponent, encoded.exponent)
            base = _common_base(self._known_base(), _base_of(encoded)) or EncodedNumber.BASE
            if self.exponent != lower:
                number = self._lowered(lower, base)
            mantissa *= exponent_factor(encoded.exponent, lower, base)
        residue = key._multiplied(number._valid(), mantissa)
        return EncryptedNumber._of(key, residue, number.exponent, base)

    def _add_encrypted(self, other: EncryptedNumber) -> EncryptedNumber:
        """The sum with an encrypted number."""
        key = self.public_key
        if other.public_key is not key and other.public_key != key:
            raise KeyMismatchError("numbers of different keys cannot be combined")
        left, right, base, lower = self, other, self._base, self.exponent
        if base != other._base or lower != other.exponent:
            base = _common_base(self._known_base(), other._known_base()) or EncodedNumber.BASE
            lower = min(lower, other.exponent)
            left, right = (x if x.exponent == lower else x._lowered(lower, base) for x in (self, other))
        addend = right._valid()
        if right._context is not key._context:
            addend = key._taken(addend, right.public_key)
        return EncryptedNumber._of(key, key._context.ring.multiply(left._valid(), addend), lower, base)

    def _raw_add(self, e_a: int, e_b: int) -> int:
        """Ciphertext of the sum of two ciphertexts' plaintexts."""
        key = self.public_key
        return key._stored(key._ring.multiply(key._loaded(e_a), key._loaded(e_b)))

    def _raw_mul(self, plaintext: int) -> int:
        """Ciphertext of the product with an integer mod n."""
        key = self.public_key
        if not isinstance(plaintext, int):
            raise TypeError(f"plaintext must be an int, not {type(plaintext).__name__}")
        if not 0 <= plaintext < key.n:
            raise InvalidPlaintextError("plaintext must be in [0, n)")
        return key._stored(key._power(self._valid(), plaintext))


_CIPHERTEXT = "_EncryptedNumber__ciphertext"  # what phe and its pickles call it


def _base_of(encoded: EncodedNumber) -> int | None:
    """The base that its exponent is to be read with; None for any."""
    return encoded.BASE if encoded.exponent else None


def _common_base(one: int | None, other: int | None) -> int | None:
    """The base of a result; None where neither operand says."""
    if one is None or other is None or one == other:
        return one or other
    raise InvalidPlaintextError(
        f"numbers of base {one} and base {other} have no common exponent; encode both with one class of EncodedNumber"
    )


def _negated(encoded: EncodedNumber) -> EncodedNumber:
    return encoded.__class__(encoded.public_key, -encoded.encoding % encoded.public_key.n, encoded.exponent)
