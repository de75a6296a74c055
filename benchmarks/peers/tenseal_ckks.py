"""TenSEAL's CKKS: another scheme, which rounds, and packs thousands of values into a ciphertext.

It stands here because people choose between the two. Its parameters have 128 bits of strength whatever the key length
of the others, and allow no multiplication, as the sums of the protocol need none.
"""

from __future__ import annotations

from typing import Any

import tenseal

NAME = "tenseal-ckks"


class Peer:
    """One context of CKKS."""

    ERROR = 1e-6

    def __init__(self) -> None:
        self._context = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS, poly_modulus_degree=8192, coeff_mod_bit_sizes=[60, 40, 60]
        )
        self._context.global_scale = 2**40

    def encrypt(self, values: list[float]) -> Any:
        return tenseal.ckks_vector(self._context, values)

    @staticmethod
    def decrypt(vector: Any) -> list[float]:
        decrypted: list[float] = vector.decrypt()
        return decrypted

    @staticmethod
    def add(left: Any, right: Any) -> Any:
        return left + right

    @staticmethod
    def size(vector: Any) -> int:
        """Bytes on the wire."""
        return len(vector.serialize())


def make(key_length: int) -> Peer:
    return Peer()
