"""Libraries that there are builds of for Python 3.8 alone, asked from another Python: ipcl-python and fate_utils.

Run as a script in that interpreter, this file reads JSON objects from stdin, one a line: first which peer, and its
key_length, then calls: encrypt of values, and add and decrypt of what it has encrypted, which is kept here. It answers
each with one: what was decrypted, or null.
"""

from __future__ import annotations

import json
import operator
import sys
from types import SimpleNamespace


def ipcl(key_length):
    """Intel's, with DJN randomizers."""
    from ipcl_python import PaillierKeypair

    public, private = PaillierKeypair.generate_keypair(key_length, True)
    return SimpleNamespace(
        encrypt=public.encrypt, add=operator.add, decrypt=lambda c: list(map(float, private.decrypt(c)))
    )


def fate_utils(key_length):
    """The Rust core of FATE."""
    import numpy
    from fate_utils import paillier

    private, public, coder = paillier.keygen(key_length)
    return SimpleNamespace(
        encrypt=lambda values: public.encrypt_encoded(coder.encode_f64_vec(numpy.array(values)), True),
        add=lambda left, right: left.add(public, right),
        decrypt=lambda numbers: coder.decode_f64_vec(private.decrypt_to_encoded(numbers)).tolist(),
    )


def answers(lines):
    job = json.loads(next(lines))
    try:
        peer = {"ipcl": ipcl, "fate_utils": fate_utils}[job["peer"]](job["key_length"])
    except ImportError as error:
        yield {"missing": str(error)}
        return
    yield {"missing": None}
    numbers = total = None
    for line in lines:
        call = json.loads(line)
        if call["phase"] == "encrypt":
            numbers = total = peer.encrypt(call["values"])
        elif call["phase"] == "add":
            total = peer.add(numbers, numbers)
        yield peer.decrypt(total) if call["phase"] == "decrypt" else None


if __name__ == "__main__":
    for answer in answers(iter(sys.stdin)):
        print(json.dumps(answer), flush=True)
