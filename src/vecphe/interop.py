"""Arrays to and from phe-shaped numbers, duck-typed: neither phe nor the facade is imported.

A phe-shaped number has ``public_key.n``, ``exponent`` and ``ciphertext(be_secure)``; its plaintext is an integer times
``16**exponent``, negative integers being the top third of [0, n). That is an unpacked array's fixed point with
``fraction_bits == -4 * exponent``, so that only numbers of different exponents take arithmetic: a power of 16 brings
them to the least one.
"""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np

from vecphe.array import EncryptedArray
from vecphe.errors import KeyMismatchError, PackedOperationError, PlaintextOverflowError, SerializationError
from vecphe.keys import PublicKey
from vecphe.plaintext.encoding import FixedPoint

__all__ = ["from_phe", "to_phe"]

_BITS = 4  # of a digit in phe's base 16
_LEAST_EXPONENT = -4096  # the most fraction bits that an encoding takes
_LEAST_FLOAT, _GREATEST_FLOAT = -1074, 1023  # as powers of two
_FLOAT_BITS = 53  # of a float's integer; what is aligned must have room for them
_GUARD_BITS = 64
_GREATEST_DEPTH = 32  # numpy's limit of dimensions before 2.0
_MOST_SHARED = 1 << 16  # numbers that lists may be repeated to


def to_phe(array: EncryptedArray, module: Any, *, rerandomize: bool = True) -> Any:
    """An unpacked array as numbers of phe.

    Parameters
    ----------
    array : EncryptedArray
        Not packed.
    module : module
        ``phe`` or ``vecphe.phe``: whatever has `PaillierPublicKey` and `EncryptedNumber`.
    rerandomize : bool
        Re-randomise a copy where the array is not fresh, as `EncryptedArray.ciphertexts` does.

    Returns
    -------
    list of module.EncryptedNumber
        Lists of lists for more dimensions, a single number for none. All have one exponent and one public key.
        They decrypt to floats, those of integer arrays without fraction bits to integers.

    Raises
    ------
    PackedOperationError
        If the array is packed: phe's numbers hold one value each.

    Notes
    -----
    phe does not know that its new numbers are already randomised: its ``number.ciphertext()`` does so again, at its
    own price. ``number.ciphertext(be_secure=False)`` does not.

    Examples
    --------
    >>> import phe
    >>> from vecphe import generate_keypair, to_phe
    >>> public_key, private_key = generate_keypair(2048)
    >>> number = to_phe(public_key.encrypt(1.5), phe)
    >>> private_key.to_phe(phe).decrypt(number + 1)
    2.5
    """
    if not isinstance(array, EncryptedArray):
        raise TypeError(f"array must be an EncryptedArray, not {type(array).__name__}")
    if array.packed:
        raise PackedOperationError(
            "a packed array has no form in phe, whose numbers hold one value each; encrypt with packed=False for it"
        )
    for name in ("PaillierPublicKey", "EncryptedNumber"):
        if not hasattr(module, name):
            raise TypeError(f"module has no {name}; pass phe or vecphe.phe")
    public_key = module.PaillierPublicKey(array.public_key.n)
    exponent = -array.format.fraction_bits // _BITS
    flat = [
        module.EncryptedNumber(public_key, ciphertext, exponent)
        for ciphertext in array.ciphertexts(rerandomize=rerandomize)
    ]
    numbers = np.empty(array.shape, dtype=object)
    for position, number in zip(np.ndindex(array.shape), flat, strict=True):
        numbers[position] = number
    return numbers.tolist()


def from_phe(public_key: PublicKey, numbers: Any, max_abs: float | None = None) -> EncryptedArray:
    """Numbers of phe as an unpacked array.

    Parameters
    ----------
    public_key : PublicKey
        Theirs, of this library: ``PublicKey.from_phe(phe_public_key)``.
    numbers : phe-shaped number, or nested lists, tuples or object arrays of them
        Of any exponents; they may differ. They are read without being changed.
    max_abs : real number, optional
        What no magnitude exceeds, as their sender promises; it is checked after decryption. Pass it to compute:
        without it the bound is what phe's numbers can hold, n/3, which leaves no room for additions or products, or
        where exponents differ 2^-64 of it (see Notes).

    Returns
    -------
    EncryptedArray
        Of the shape of the nesting. It decrypts to integers if all exponents are 0 or positive, as phe's numbers do,
        else to float64. It is never fresh: who made the numbers knows their randomizers.

    Raises
    ------
    KeyMismatchError
        If a number belongs to another key.
    InvalidCiphertextError
        If a ciphertext is not in Z*_{n^2}; the text is the same whatever is wrong, and where.
    PlaintextOverflowError
        If the exponents, or `max_abs` at the least of them, do not fit the key; without `max_abs`, also if aligning
        them leaves no room for the 53 bits of a float.
    SerializationError
        If an exponent is no int.

    Notes
    -----
    An array has one exponent, the least of all and 0; other numbers are aligned to it, their integers multiplied by
    16^spread mod n, as phe does before it adds them. An integer that is beyond n/3 / 16^spread wraps around modulo n,
    which no one can see in the ciphertext, and is then any residue. phe takes two of three such for a number. Here an
    aligned array decrypts only within the bound: of wrapped values, 2^-64 of the band lets through about one in 2^64
    (more for spreads that leave less than 64 bits beside those of a float: one in 2^(what is left)), and `max_abs` its
    own share of n. A sender who wants to can always choose a value that wraps into the bound, as he can choose any.

    Examples
    --------
    >>> import phe
    >>> from vecphe import from_phe, generate_keypair, to_phe
    >>> public_key, private_key = generate_keypair(2048)
    >>> numbers = to_phe(public_key.encrypt([1.5, -2.0]), phe)
    >>> private_key.decrypt(from_phe(public_key, [2 * number for number in numbers], max_abs=100))
    array([ 3., -4.])
    """
    if not isinstance(public_key, PublicKey):
        raise TypeError(
            f"public_key must be a vecphe.PublicKey, not {type(public_key).__name__}; PublicKey.from_phe makes one"
        )
    flat, shape = _flattened(numbers)
    exponents = [_checked_exponent(public_key, number, index) for index, number in enumerate(flat)]
    least = min([0, *exponents])
    shifts = [_BITS * (exponent - least) for exponent in exponents]
    limit = public_key.n // 3 - 1
    if max(shifts, default=0) >= limit.bit_length():
        raise PlaintextOverflowError(
            f"exponents from {least} to {max(exponents)} have no common scale that fits a {public_key.key_length}-bit "
            "key; convert numbers of such different size apart"
        )
    if max_abs is None:
        bound = _bound_of_aligned(limit, max(shifts, default=0), public_key.key_length)
        encoding = _widest_encoding(bound, -_BITS * least)
    else:
        encoding = FixedPoint(-_BITS * least, max_abs)
        bound = encoding.unit
    array = public_key.from_ciphertexts(
        [number.ciphertext(False) for number in flat],
        shape=shape,
        encoding=encoding,
        integer=bool(flat) and min(exponents) >= 0,
    )
    residues = array.residues
    if any(shifts):
        residues = array._ring.power_vartime(residues, [1 << shift for shift in shifts])
    return array._derive(residues, bound=bound)


def _bound_of_aligned(limit: int, shift: int, key_length: int) -> int:
    """The band, less a guard where alignment may wrap: a wrapped integer is anywhere, so seldom within the bound."""
    if not shift:
        return limit
    room = limit.bit_length() - 1 - shift
    if room < _FLOAT_BITS:
        raise PlaintextOverflowError(
            f"the exponents are so far apart that floats, aligned to the least, do not fit a {key_length}-bit key; "
            "pass max_abs, use a longer key, or convert numbers of such different size apart"
        )
    return limit >> min(_GUARD_BITS, room - _FLOAT_BITS)


def _widest_encoding(limit: int, fraction_bits: int) -> FixedPoint:
    """The widest one for floats whose integers stay within `limit`: up to a power of two."""
    power = limit.bit_length() - 1 - fraction_bits
    return FixedPoint(fraction_bits, math.ldexp(1.0, min(power, _GREATEST_FLOAT)))


def _flattened(numbers: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Numbers in C order, and the shape of the nesting."""
    level, shape = [numbers], tuple[int, ...]()
    while level:
        level = [_as_list(item) for item in level]
        nested = [isinstance(item, (list, tuple)) for item in level]
        if not any(nested):
            break
        lengths = {len(item) for item in level} if all(nested) else set()
        if len(lengths) != 1 or len(shape) == _GREATEST_DEPTH:
            raise ValueError(
                f"numbers must be nested evenly, as an array of at most {_GREATEST_DEPTH} dimensions is; "
                f"the lists differ in length or depth at depth {len(shape) + 1}"
            )
        shape += (lengths.pop(),)
        _check_sharing(len(level) * shape[-1], sum(len(item) for item in {id(item): item for item in level}.values()))
        level = [child for item in level for child in item]
    return level, shape


def _as_list(item: Any) -> Any:
    if not isinstance(item, np.ndarray):
        return item
    span = item.itemsize + sum((n - 1) * abs(step) for n, step in zip(item.shape, item.strides, strict=True))
    _check_sharing(item.size, span // item.itemsize)
    return item.tolist()


def _check_sharing(places: int, distinct: int) -> None:
    """Lists that stand in several places make few of them any number of ciphertexts."""
    if places > max(_MOST_SHARED, 2 * distinct):
        raise ValueError(
            f"numbers share their lists: {distinct} of them would become {places}; "
            "convert each once, and index the array"
        )


def _checked_exponent(public_key: PublicKey, number: Any, index: int) -> int:
    """The exponent of a number of this key; `index` counts in C order."""
    try:
        n, exponent, _ = number.public_key.n, number.exponent, number.ciphertext
    except AttributeError:
        raise TypeError(f"number {index} is a {type(number).__name__}, not shaped like phe's EncryptedNumber") from None
    if n != public_key.n:
        raise KeyMismatchError(f"number {index} belongs to another key than public_key")
    if isinstance(exponent, bool) or not isinstance(exponent, Integral):
        raise SerializationError(f"the exponent of number {index} must be an int, not {type(exponent).__name__}")
    # The facade's numbers know what their exponent is one of; phe's do not.
    if exponent and getattr(number, "_base", None) not in (None, 1 << _BITS):
        raise SerializationError(
            f"number {index} was encoded with a BASE other than 16; encrypt it with phe's EncodedNumber to convert it"
        )
    # Below the second, limit * 16**exponent would be less than every float: no value but 0 could be told.
    least = max(_LEAST_EXPONENT, -((public_key.key_length - 3 - _LEAST_FLOAT) // _BITS))
    greatest = public_key.key_length // _BITS
    if not least <= int(exponent) <= greatest:
        raise PlaintextOverflowError(
            f"the exponent of number {index} must be from {least} to {greatest} for a {public_key.key_length}-bit key"
        )
    return int(exponent)
