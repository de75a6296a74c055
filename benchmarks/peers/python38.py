"""ipcl-python and fate_utils, of which there are builds for Python 3.8 alone: runs in that interpreter, as a script.

Reads one JSON object from stdin (peer, key_length, values, repeats) and prints one: what was decrypted after adding the
values to themselves, and the seconds of every repeat of encrypt, add and decrypt. Only the standard library and the
peer are imported.
"""

import json
import sys
import time


class Ipcl:
    """Intel's Paillier library, with DJN randomizers."""

    def __init__(self, key_length):
        from ipcl_python import PaillierKeypair

        self.public_key, self.private_key = PaillierKeypair.generate_keypair(key_length, True)

    def encrypt(self, values):
        return self.public_key.encrypt(values)

    def add(self, left, right):
        return left + right

    def decrypt(self, numbers):
        return [float(value) for value in self.private_key.decrypt(numbers)]


class Fate:
    """The Rust core of FATE."""

    def __init__(self, key_length):
        from fate_utils import paillier

        self.private_key, self.public_key, self.coder = paillier.keygen(key_length)

    def encrypt(self, values):
        import numpy

        return self.public_key.encrypt_encoded(self.coder.encode_f64_vec(numpy.array(values)), True)

    def add(self, left, right):
        return left.add(self.public_key, right)

    def decrypt(self, numbers):
        return self.coder.decode_f64_vec(self.private_key.decrypt_to_encoded(numbers)).tolist()


PEERS = {"ipcl": Ipcl, "fate_utils": Fate}


def timed(function, *arguments):
    started = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - started, result


def main():
    job = json.load(sys.stdin)
    try:
        peer = PEERS[job["peer"]](job["key_length"])
    except ImportError as error:
        json.dump({"missing": str(error)}, sys.stdout)
        return
    seconds = {"encrypt": [], "add": [], "decrypt": []}
    for _ in range(job["repeats"]):
        took, numbers = timed(peer.encrypt, job["values"])
        seconds["encrypt"].append(took)
        took, total = timed(peer.add, numbers, numbers)
        seconds["add"].append(took)
        took, decrypted = timed(peer.decrypt, total)
        seconds["decrypt"].append(took)
    json.dump({"decrypted": decrypted, "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
