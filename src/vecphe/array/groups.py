"""Sums of an encrypted array by the labels of its rows: histograms, without the values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.array.encrypted_array import EncryptedArray
from vecphe.array.functions import check_room, checked_count
from vecphe.array.powers import group_products
from vecphe.errors import InvalidPlaintextError, PackedOperationError
from vecphe.plaintext.encoding import as_plain_array
from vecphe.system.plurals import counted

__all__ = ["group_sum"]

_NUMBERED = (
    "labels are integers in an array or list, one a row; "
    "for texts and dates they are numpy.unique(labels, return_inverse=True)[1]"
)


def group_sum(c: EncryptedArray, labels: npt.ArrayLike, n_groups: int, *, n_jobs: int | None = None) -> EncryptedArray:
    """Sum the rows of an encrypted array by integer labels, as ``numpy.add.at`` does: the histogram of its values.

    It costs one addition a ciphertext, however many groups there are.

    Parameters
    ----------
    c : EncryptedArray
        Shape (rows, ...), unpacked, or packed so that no ciphertext holds values of two rows: ``packed="rows"`` of
        `PublicKey.encrypt` does so.
    labels : array_like of int
        Shape (rows,), each from 0 to ``n_groups - 1``: the group that a row counts in. They are public for timing.
    n_groups : int
        How many groups there are; those that no row is in encrypt zero.
    n_jobs : int, optional
        As in `PublicKey.encrypt`.

    Returns
    -------
    EncryptedArray
        Shape (n_groups, ...), with the bound and terms of the largest group.

    Raises
    ------
    TypeError
        If `c` is not encrypted, or `labels` or `n_groups` are no integers.
    ValueError
        If there is not one label a row, a label of no group, or `c` has no dimension.
    PackedOperationError
        If ciphertexts of `c` hold values of several rows.
    PlaintextOverflowError
        If the sum of the largest group could leave the range; nothing is computed then.
    BatchTooLargeError
        If so many groups would not fit into memory, by an estimate.

    Examples
    --------
    >>> import vecphe
    >>> public_key, private_key = vecphe.generate_keypair(2048)
    >>> gradients = public_key.encrypt([0.5, -0.25, 1.0])
    >>> private_key.decrypt(vecphe.group_sum(gradients, [2, 0, 2], 4))
    array([-0.25,  0.  ,  1.5 ,  0.  ])
    """
    if not isinstance(c, EncryptedArray):
        raise TypeError(
            f"group_sum takes an EncryptedArray, not {type(c).__name__}; "
            "for plain numbers there is numpy.bincount(labels, weights=x, minlength=n_groups)"
        )
    if not c.ndim:
        raise ValueError("group_sum: a 0-d array has no rows; reshape it: c.reshape(1)")
    groups, width = checked_count("n_groups", n_groups, 0), _ciphertexts_a_row(c)
    check_room(c._ring, groups * max(width, 1))
    keys = _checked_labels(labels, len(c), groups)
    sizes = np.bincount(keys, minlength=groups)
    largest = int(sizes.max(initial=0))
    c._check_bound(c.bound * largest)
    places = keys if width == 1 else (keys[:, np.newaxis] * width + np.arange(width)).ravel()
    return c._derive(
        group_products(c._key._context, c._residues, places, groups * width, n_jobs),
        (groups, *c.shape[1:]),
        c._freshness if sizes.all() else c._freshness.spoiled(),  # an empty product is the bare 1
        bound=c.bound * largest,
        terms=c.terms * largest,
    )


def _ciphertexts_a_row(c: EncryptedArray) -> int:
    values = math.prod(c.shape[1:])
    if c.layout is None:
        return values
    if values % c.layout.slots:
        raise PackedOperationError(
            f"group_sum: ciphertexts of this packed array hold {c.layout.slots} values each, of more than one row; "
            "encrypt with packed='rows', or packed=False"
        )
    return values // c.layout.slots


def _checked_labels(labels: Any, rows: int, groups: int) -> npt.NDArray[np.int64]:
    """The labels, one a row and each of a group. No error shows one."""
    if isinstance(labels, EncryptedArray):
        raise TypeError("labels must be plain integers: who sums by groups has to know them")
    try:
        plain = as_plain_array(labels, "labels")
    except (InvalidPlaintextError, TypeError) as error:
        wrong = str(error).partition(";")[0]  # after it comes what to do with numbers that are to be encrypted
        kind = ValueError if isinstance(error, InvalidPlaintextError) else TypeError
        raise kind(f"group_sum: {wrong}; {_NUMBERED}") from None
    if plain.dtype.kind == "f" and plain.size:
        raise TypeError("labels must be integers, not floats; where they are whole numbers, write labels.astype(int)")
    if plain.shape != (rows,):
        raise ValueError(f"group_sum: labels of shape {plain.shape} for {counted(rows, 'row')}; give one label a row")
    outside = (plain < 0) | (plain >= groups)
    if outside.any():
        raise ValueError(
            f"group_sum: labels must be from 0 to n_groups - 1 = {groups - 1}; the first that is not is at index "
            f"{int(outside.argmax())}"
        )
    return plain.astype(np.int64)
