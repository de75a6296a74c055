"""Other libraries, each with the same few operations on lists of floats; none of them comes with vecphe.

A function makes keys of so many bits and returns what it can do with them. It imports the library, which may not be
installed. Its results are checked before their times count.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import operator
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

__all__ = ["PEERS", "UnfitError", "distribution", "is_loop", "make_peer", "missing"]


class UnfitError(Exception):
    """A library does not take keys of that length."""


def _each(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    """The function on the elements of lists."""
    return lambda *lists: [function(*elements) for elements in zip(*lists, strict=True)]


def _phe(key_length: int) -> SimpleNamespace:
    """Phe as its users call it, on the key of this process; values keep 112 fraction bits, so exponents are equal."""
    from vecphe.bench import workloads

    phe: Any = import_module("phe")
    public, private = workloads.keypair(key_length)
    key = phe.PaillierPublicKey(public.n)
    return SimpleNamespace(
        encrypt=_each(lambda value: key.encrypt(value, precision=2.0**-112)),
        add=_each(operator.add),
        multiply=_each(operator.mul),
        decrypt=_each(phe.PaillierPrivateKey(key, private.p, private.q).decrypt),
        error=0.0,
    )


def _pypaillier(key_length: int) -> SimpleNamespace:
    """Rust on GMP, with keys of its own (safe primes); RAYON_NUM_THREADS=1 before its import makes it use one thread.

    Its encryption uses short exponents, so it computes less than vecphe's default does.
    """
    if key_length < 2048:
        raise UnfitError("pypaillier takes keys of 2048 bits and more")
    paillier: Any = import_module("paillier")
    public, private = paillier.generate_keypair(key_length)
    return SimpleNamespace(
        encrypt=lambda values: [bytes(blob) for blob in paillier.encrypt_many(public, values)],
        add=_each(lambda a, b: bytes(paillier.add_many(public, [a, b]))),
        sum=lambda blobs: [bytes(paillier.add_many(public, blobs))],
        decrypt=_each(lambda blob: paillier.decrypt(private, blob)),
        error=1e-8,
        nbytes=lambda blobs: sum(map(len, blobs)),
    )


def _lightphe(key_length: int) -> SimpleNamespace:
    """Pure Python: its vectors of floats do not take signs, so a loop over integers with 40 fraction bits."""
    library: Any = import_module("lightphe")
    logging.getLogger("lightphe").setLevel(logging.ERROR)
    scheme = library.LightPHE(algorithm_name="Paillier", key_size=key_length)
    n = scheme.cs.keys["public_key"]["n"]
    return SimpleNamespace(
        encrypt=_each(lambda value: scheme.encrypt(round(value * 2**40) % n)),
        add=_each(operator.add),
        decrypt=_each(lambda number: ((int(scheme.decrypt(number)) + n // 2) % n - n // 2) / 2**40),
        error=2.0**-40,
        nbytes=lambda numbers: len(numbers) * -(-2 * n.bit_length() // 8),
    )


def _tenseal(key_length: int, degree: int = 8192) -> SimpleNamespace:
    """CKKS: another scheme, which rounds, and packs thousands of values into a ciphertext.

    It stands here because people choose between the two. Its parameters have 128 bits of strength whatever the key
    length of the others, and allow no multiplication, as the sums of the protocol need none.
    """
    tenseal: Any = import_module("tenseal")
    sizes, scale, error = {8192: ([60, 40, 60], 40, 1e-6), 4096: ([40, 20, 40], 20, 0.1)}[degree]
    modulus = {"poly_modulus_degree": degree, "coeff_mod_bit_sizes": sizes}
    context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, n_threads=1, **modulus)
    context.global_scale = 2**scale
    return SimpleNamespace(
        encrypt=lambda values: tenseal.ckks_vector(context, values),
        add=operator.add,
        decrypt=lambda vector: vector.decrypt(),
        error=error,
        nbytes=lambda vector: len(vector.serialize()),
        slots=degree // 2,
    )


# By name: what makes it, and the module and the package that it is in.
_LIBRARIES: dict[str, tuple[Callable[..., SimpleNamespace], str, str]] = {
    "phe": (_phe, "phe", "phe"),
    "pypaillier": (_pypaillier, "paillier", "pypaillier"),
    "lightphe": (_lightphe, "lightphe", "lightphe"),
    "tenseal": (_tenseal, "tenseal", "tenseal"),
}
PEERS = tuple(_LIBRARIES)


def make_peer(name: str, key_length: int, **options: Any) -> Any:
    """One of `PEERS` with fresh keys: encrypt, add, decrypt, maybe sum and multiply, and the error of its encoding.

    CKKS takes the `degree` of its polynomials, 8192 or 4096.

    Raises
    ------
    ImportError
        If it is not installed.
    UnfitError
        If it takes no such keys.
    """
    return _LIBRARIES[name][0](key_length, **options)


def missing(name: str) -> str | None:
    """What to install for one of `PEERS`; None where it is there."""
    _, module, package = _LIBRARIES[name]
    return None if importlib.util.find_spec(module) is not None else f"pip install {package}"


def distribution(name: str) -> tuple[str, str]:
    """Package and version of one of `PEERS` that is installed."""
    package = _LIBRARIES[name][2]
    return package, importlib.metadata.version(package)


def is_loop(name: str) -> bool:
    """Whether one of `PEERS` takes a value at a time."""
    return name != "tenseal"
