"""Numbers that phe encrypted, written by ``python -m tests.data.make_phe_golden tests/data/phe_golden.json``.

Each has its ciphertext, its exponent and what phe decrypts it to: ints as decimal strings, floats as hexadecimal ones.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import phe

VALUES = [
    0,
    1,
    -1,
    2**40,
    -(2**53) - 1,
    10**18,
    0.0,
    0.1,
    -0.1,
    3.141592653589793,
    -1e-9,
    123456.789,
    1e15,
    2.0**100,
    1e-17,
]


def make() -> dict[str, object]:
    public_key, private_key = phe.generate_paillier_keypair(n_length=1024)
    encrypted = [public_key.encrypt(value) for value in VALUES]
    encrypted += [public_key.encrypt(2.75, precision=1e-3), public_key.encrypt(-5e20, precision=1e-30)]
    encrypted += [public_key.encrypt(phe.EncodedNumber(public_key, m, e)) for m, e in [(7, 3), (-9, 12), (5, -40)]]
    a, b, c = encrypted[8], encrypted[11], encrypted[3]
    encrypted += [a + b, a - b, c + 3, c * -5, a * 2.5, (a + c) / 4, a + 1e-6]
    return {
        "phe": phe.__about__.__version__,
        "p": str(private_key.p),
        "q": str(private_key.q),
        "numbers": [
            {"v": str(number.ciphertext()), "e": number.exponent, "plain": text(private_key.decrypt(number))}
            for number in encrypted
        ],
    }


def text(plain: float) -> str:
    return str(plain) if isinstance(plain, int) else plain.hex()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
