"""Arrays larger than memory: encrypted, and decrypted, part by part."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.array import EncryptedArray
from vecphe.plaintext.format import Format
from vecphe.system.files import PathLike, check_writable, replace_file

__all__ = ["DecryptedChunks", "EncryptedChunks", "aligned_values", "rows_at_once"]


class EncryptedChunks(Iterator[EncryptedArray]):
    """The parts of an array, each encrypted when it is asked for; made by `PublicKey.encrypt_chunks`.

    It goes through the array once: as encrypted arrays, or by `iter_bytes` or `save` as the binary form of the whole.

    Attributes
    ----------
    shape : tuple of int
        Of the whole array.

    Examples
    --------
    >>> import numpy as np
    >>> import vecphe
    >>> public_key, private_key = vecphe.generate_keypair(2048)
    >>> chunks = public_key.encrypt_chunks(np.arange(10.0), chunk=4)
    >>> [len(chunk) for chunk in chunks]
    [4, 4, 2]
    >>> stream = public_key.encrypt_chunks(np.arange(10.0), packed=True).iter_bytes()
    >>> private_key.decrypt(vecphe.EncryptedArray.from_chunks(public_key, stream))[-1].item()
    9.0
    """

    def __init__(
        self,
        values: npt.NDArray[Any],
        rows: int,
        aligned: int,
        encrypted: Callable[[npt.NDArray[Any], str], EncryptedArray],
        ciphertexts: Callable[[npt.NDArray[Any], str], bytes],
        framed: Callable[[Iterator[bytes]], Iterator[bytes]],
    ) -> None:
        self._values, self._rows, self._aligned = values, rows, aligned
        self._encrypted, self._ciphertexts, self._framed = encrypted, ciphertexts, framed
        self._next, self._end = 0, len(values) if values.ndim else 1
        self.shape = values.shape

    def __repr__(self) -> str:
        return f"EncryptedChunks(shape={self.shape})" if hasattr(self, "shape") else "EncryptedChunks(nothing yet)"

    def __next__(self) -> EncryptedArray:
        start = self._next
        if start >= self._end:
            raise StopIteration
        stop = min(start + self._rows, self._end)
        part = self._values[start:stop] if self._values.ndim else self._values
        encrypted = self._encrypted(part, f"x[{start}:{stop}]")
        self._next = stop  # only now: what an error or interrupt kept from being encrypted is the next part still
        return encrypted

    def iter_bytes(self) -> Iterator[bytes]:
        """The bytes of `EncryptedArray.to_bytes` of the whole array, in pieces, as they are encrypted.

        Raises
        ------
        ValueError
            If a part was asked for before.
        SerializationError
            If the binary form has no room for the array.
        """
        if self._next:
            raise ValueError("some parts are encrypted already; take encrypt_chunks anew for the whole")
        pieces = self._framed(self._parts())
        self._next = max(self._end, 1)
        return pieces

    def _parts(self) -> Iterator[bytes]:
        values, count = self._values, self._values.size
        flat = values.reshape(-1) if values.flags.c_contiguous else values.flat  # no copy either way
        for start in range(0, count, self._aligned):
            stop = min(start + self._aligned, count)
            yield self._ciphertexts(flat[start:stop], f"numpy.ravel(x)[{start}:{stop}]")

    def save(self, path: PathLike, *, force: bool = False) -> None:
        """Write the whole array to a file in the binary form, whole or not at all; as `EncryptedArray.save`.

        Parameters
        ----------
        path : str or path
        force : bool
            Replace a file that exists.
        """
        check_writable(path, force=force)
        replace_file(path, self.iter_bytes(), force=force)


class DecryptedChunks(Iterator[npt.NDArray[Any]]):
    """The values of an encrypted array that comes in pieces; made by `PrivateKey.decrypt_chunks`.

    Each part is one-dimensional, in C order. That the whole was read undamaged shows after the last one.

    Attributes
    ----------
    shape : tuple of int
        Of the whole array.
    dtype : numpy.dtype
        Of the parts: float64 or int64, object where an integer is too wide for that.
    n_ciphertexts : int
        How many there are to decrypt.

    Examples
    --------
    >>> import numpy as np
    >>> import vecphe
    >>> public_key, private_key = vecphe.generate_keypair(2048)
    >>> data = public_key.encrypt(np.arange(6.0).reshape(2, 3)).to_bytes()
    >>> chunks = private_key.decrypt_chunks([data[:100], data[100:]])
    >>> chunks.shape, np.concatenate(list(chunks))
    ((2, 3), array([0., 1., 2., 3., 4., 5.]))
    """

    def __init__(self, shape: tuple[int, ...], format: Format, parts: Iterator[npt.NDArray[Any]]) -> None:
        self.shape, self._parts = shape, parts
        self.n_ciphertexts = format.n_ciphertexts(math.prod(shape))
        self.dtype = np.dtype(np.int64 if format.integer else np.float64)
        self._begun = self._cut_off = False

    def __repr__(self) -> str:
        return f"DecryptedChunks(shape={self.shape})" if hasattr(self, "shape") else "DecryptedChunks(nothing yet)"

    def __next__(self) -> npt.NDArray[Any]:
        self._begun = True
        if self._cut_off:  # the generator would say that this was all
            raise ValueError("an error or interrupt cut the decryption off; take decrypt_chunks anew")
        self._cut_off = True
        part = next(self._parts, None)
        self._cut_off = False
        if part is None:
            raise StopIteration
        return part

    def save(self, path: PathLike, *, force: bool = False) -> None:
        """Write all values to a .npy file, whole or not at all, that its owner alone can read.

        ``numpy.load(path, mmap_mode="r")`` reads it without loading it.

        Parameters
        ----------
        path : str or path
        force : bool
            Replace a file that exists, which keeps its permissions.

        Raises
        ------
        ValueError
            If a part was taken before, or there are integers of more than 64 bits, which the file has no room for.
        OSError
            If it cannot be written; what was there before stays.
        """
        if self._begun:
            raise ValueError("some parts are decrypted already; take decrypt_chunks anew for the whole")
        replace_file(path, self._npy(), force=force, mode=0o600)

    def _npy(self) -> Iterator[bytes]:
        head = io.BytesIO()
        facts = {"descr": self.dtype.str, "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(head, facts)
        yield head.getvalue()
        for part in self:
            if part.dtype != self.dtype:
                raise ValueError("some integers are beyond 64 bits, which .npy does not have; take the parts")
            yield part.tobytes()


def aligned_values(values: int, slots: int) -> int:
    """The most values up to so many that fill whole ciphertexts, at least one."""
    return max(values // slots, 1) * slots


def rows_at_once(shape: tuple[int, ...], values: int) -> int:
    """How many rows have about so many values."""
    return max(values // max(math.prod(shape[1:]), 1), 1)
