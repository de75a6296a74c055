"""Other libraries, one a function, each with the same few operations on lists of floats.

A function makes keys of so many bits and returns what it can do with them: `encrypt`, `add` and `decrypt`, maybe `sum`
and `multiply`, and the absolute error that the library's encoding allows. It imports the library, which may not be
installed.

For ipcl-python and fate_utils there are builds for Python 3.8 alone: run as a script in that interpreter, this file
reads one JSON object from stdin (peer, key_length, values, repeats) and prints one: what was decrypted after adding the
values to themselves, and the seconds of every repeat of encrypt, add and decrypt.
"""

from __future__ import annotations

import json
import operator
import sys
import time
from types import SimpleNamespace


def each(function):
    """The function on the elements of lists."""
    return lambda *lists: [function(*elements) for elements in zip(*lists)]  # noqa: B905 - Python 3.8


def phe_loop(key_length):
    """Phe as its users call it, on the key of this process; values keep 112 fraction bits, so exponents are equal."""
    import phe

    from vecphe.bench import workloads

    public, private = workloads.keypair(key_length)
    key = phe.PaillierPublicKey(public.n)
    return SimpleNamespace(
        encrypt=each(lambda value: key.encrypt(value, precision=2.0**-112)),
        add=each(operator.add),
        multiply=each(operator.mul),
        decrypt=each(phe.PaillierPrivateKey(key, private.p, private.q).decrypt),
        error=0.0,
    )


def pypaillier(key_length):
    """Rust on GMP, with keys of its own (safe primes); RAYON_NUM_THREADS=1 before its import makes it use one thread.

    Its encryption uses short exponents, so it computes less than vecphe's default does.
    """
    import paillier

    if key_length < 2048:
        raise NotImplementedError("takes keys of 2048 bits and more")
    public, private = paillier.generate_keypair(key_length)
    return SimpleNamespace(
        encrypt=lambda values: [bytes(blob) for blob in paillier.encrypt_many(public, values)],
        add=each(lambda a, b: bytes(paillier.add_many(public, [a, b]))),
        sum=lambda blobs: [bytes(paillier.add_many(public, blobs))],
        decrypt=each(lambda blob: paillier.decrypt(private, blob)),
        error=1e-8,
    )


def lightphe_loop(key_length):
    """Pure Python: its vectors of floats do not take signs, so a loop over integers with 40 fraction bits."""
    import logging

    from lightphe import LightPHE

    logging.getLogger("lightphe").setLevel(logging.ERROR)
    scheme = LightPHE(algorithm_name="Paillier", key_size=key_length)
    n = scheme.cs.keys["public_key"]["n"]
    return SimpleNamespace(
        encrypt=each(lambda value: scheme.encrypt(round(value * 2**40) % n)),
        add=each(operator.add),
        decrypt=each(lambda number: ((int(scheme.decrypt(number)) + n // 2) % n - n // 2) / 2**40),
        error=2.0**-40,
    )


def tenseal_ckks(key_length, degree=8192):
    """CKKS: another scheme, which rounds, and packs thousands of values into a ciphertext.

    It stands here because people choose between the two. Its parameters have 128 bits of strength whatever the key
    length of the others, and allow no multiplication, as the sums of the protocol need none.
    """
    import tenseal

    sizes, scale, error = {8192: ([60, 40, 60], 40, 1e-6), 4096: ([40, 20, 40], 20, 0.1)}[degree]
    modulus = {"poly_modulus_degree": degree, "coeff_mod_bit_sizes": sizes}
    context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, n_threads=1, **modulus)
    context.global_scale = 2**scale
    return SimpleNamespace(
        encrypt=lambda values: tenseal.ckks_vector(context, values),
        add=operator.add,
        decrypt=lambda vector: vector.decrypt(),
        serialise=lambda vector: vector.serialize(),
        error=error,
    )


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


def measured(peer, values, repeats):
    seconds = {"encrypt": [], "add": [], "decrypt": []}

    def timed(phase, *arguments):
        started = time.perf_counter()
        result = getattr(peer, phase)(*arguments)
        seconds[phase].append(time.perf_counter() - started)
        return result

    for _ in range(repeats):
        numbers = timed("encrypt", values)
        decrypted = timed("decrypt", timed("add", numbers, numbers))
    return {"decrypted": decrypted, "seconds": seconds}


if __name__ == "__main__":
    job = json.load(sys.stdin)
    try:
        made = {"ipcl": ipcl, "fate_utils": fate_utils}[job["peer"]](job["key_length"])
        answer = measured(made, job["values"], job["repeats"])
    except ImportError as error:
        answer = {"missing": str(error)}
    json.dump(answer, sys.stdout)
