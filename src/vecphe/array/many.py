"""Several encrypted arrays in one run of ciphertexts: a model's layers."""

from __future__ import annotations

from typing import Any

from vecphe.array.encrypted_array import EncryptedArray
from vecphe.plaintext.structure import Structure
from vecphe.system.plurals import counted

__all__ = ["EncryptedArrays"]


class EncryptedArrays:
    """A list of encrypted arrays, or a dict of them by name, packed into one run of ciphertexts.

    Made by `PublicKey.encrypt_many`, decrypted by `PrivateKey.decrypt_many`. Those of the same names and shapes are
    added and subtracted array by array, and all numbers of one are multiplied and divided by one plain number:
    ``(a * m + b * n) / (m + n)`` is a weighted mean of models.

    Attributes
    ----------
    array : EncryptedArray
        The run: all numbers in one dimension, packed; those of a dict in the order of its sorted names. What can be
        done with it, such as its bounds, its size and its bytes, is what `EncryptedArray` says.
    names : tuple of str or None
        Of a dict, in its order; None of a list.
    shapes : tuple of tuple of int
        In the same order.

    Examples
    --------
    >>> import numpy as np
    >>> import vecphe
    >>> public_key, private_key = vecphe.generate_keypair(2048)
    >>> models = [{"weight": np.full((2, 2), float(i)), "bias": [i, -i]} for i in range(3)]
    >>> total = sum(public_key.encrypt_many(model) for model in models)
    >>> total
    EncryptedArrays({'weight': (2, 2), 'bias': (2,)}, 1 ciphertext, key ...)
    >>> private_key.decrypt_many(total / 3)["weight"]
    array([[1., 1.],
           [1., 1.]])

    Only the run has to travel where both sides know the shapes:

    >>> data = total.array.to_bytes()
    >>> received = total.like(vecphe.EncryptedArray.from_bytes(public_key, data))
    >>> private_key.decrypt_many(received)["bias"]
    array([ 3., -3.])
    """

    __slots__ = ("_structure", "array")
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # numpy leaves its operators to those below
    array: EncryptedArray

    def __init__(self, array: EncryptedArray, structure: Structure) -> None:
        if not isinstance(structure, Structure):
            raise TypeError("EncryptedArrays is not called: public_key.encrypt_many([a, b]) makes one of arrays")
        self.array, self._structure = array, structure

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the arrays; None of a list."""
        return self._structure.names

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the arrays."""
        return self._structure.shapes

    def like(self, array: EncryptedArray) -> EncryptedArrays:
        """Another run of the same names and shapes.

        Parameters
        ----------
        array : EncryptedArray
            All numbers in one dimension, as `array` has them.

        Raises
        ------
        TypeError
            If it is no encrypted array.
        ValueError
            If it has another shape than the run here.
        """
        if not isinstance(array, EncryptedArray):
            raise TypeError(f"array must be an EncryptedArray, not {type(array).__name__}")
        if array.shape != self.array.shape:
            raise ValueError(f"a run of shape {array.shape} where these arrays make one of {self.array.shape}")
        return EncryptedArrays(array, self._structure)

    def __len__(self) -> int:
        return len(self.shapes)

    def __repr__(self) -> str:
        if not hasattr(self, "_structure"):
            return "EncryptedArrays(nothing yet)"
        shapes = list(self.shapes) if self.names is None else dict(zip(self.names, self.shapes, strict=True))
        ciphertexts = counted(self.array.n_ciphertexts, "ciphertext")
        return f"EncryptedArrays({shapes}, {ciphertexts}, key {self.array.fingerprint[:8]})"

    def __eq__(self, other: object) -> bool:
        return bool(self.array == getattr(other, "array", other))  # which says why not

    def __add__(self, other: Any) -> EncryptedArrays:
        if isinstance(other, EncryptedArrays):
            self._structure.check_fits(other._structure)
            return self.like(self.array + other.array)
        if type(other) is int and other == 0:  # what the builtin sum() starts from
            return self.like(self.array + 0)
        return NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Any) -> EncryptedArrays:
        if not isinstance(other, EncryptedArrays):
            return NotImplemented
        self._structure.check_fits(other._structure)
        return self.like(self.array - other.array)

    def __neg__(self) -> EncryptedArrays:
        return self.like(-self.array)

    def __mul__(self, factor: Any) -> EncryptedArrays:
        return self.like(self.array * factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> EncryptedArrays:
        return self.like(self.array / divisor)
