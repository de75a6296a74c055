"""LightPHE, pure Python: its vectors of floats do not take signs, so a loop over integers of fixed point."""

from __future__ import annotations

import logging
from typing import Any

from lightphe import LightPHE

NAME = "lightphe"


class Peer:
    """One key pair of LightPHE, 40 fraction bits."""

    ERROR = 2.0**-40

    def __init__(self, key_length: int) -> None:
        logging.getLogger("lightphe").setLevel(logging.ERROR)
        self._scheme = LightPHE(algorithm_name="Paillier", key_size=key_length)
        self._n = self._scheme.cs.keys["public_key"]["n"]

    def encrypt(self, values: list[float]) -> list[Any]:
        return [self._scheme.encrypt(round(value * 2**40) % self._n) for value in values]

    def decrypt(self, numbers: list[Any]) -> list[float]:
        plain = [int(self._scheme.decrypt(number)) for number in numbers]
        return [(value - self._n if value > self._n // 2 else value) / 2**40 for value in plain]

    @staticmethod
    def add(left: list[Any], right: list[Any]) -> list[Any]:
        return [a + b for a, b in zip(left, right, strict=True)]


def make(key_length: int) -> Peer:
    return Peer(key_length)
