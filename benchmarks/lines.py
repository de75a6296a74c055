"""What the targets are held against: each group yields measured lines, results compared for equality first."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import phe

import vecphe.phe
from benchmarks import lines_core
from benchmarks.measure import Comparison, Measured, compare, compare_times, once
from benchmarks.peers import phe_loop, pypaillier
from vecphe import PrivateKey, PublicKey
from vecphe.federated import NaiveBackend, federated_learning, get_data


def ratio(key: str, name: str, comparison: Comparison, peer: str = "phe") -> Measured:
    ours, theirs = comparison.ours * 1e6, comparison.theirs * 1e6
    return Measured(key, f"{name}, against {peer}", comparison.ratio, "x", f"{ours:.4g} us against {theirs:.4g} us")


class Sides:
    """A key of vecphe and the same key in phe, with encrypted values on both sides."""

    def __init__(self, key_length: int, batch: int = 256, few: int = 8) -> None:
        self.public_key: PublicKey
        self.private_key: PrivateKey
        self.public_key, self.private_key = vecphe.generate_keypair(key_length, insecure=True)
        self.public_key.prepare(4096)
        self.peer = phe_loop.Peer(self.public_key.n, self.private_key.p, self.private_key.q)
        self.x: npt.NDArray[np.float64] = np.random.default_rng(1).normal(size=batch)
        self.few = self.x[:few].tolist()
        self.c = self.public_key.encrypt(self.x)
        self.numbers = self.peer.encrypt(self.few)
        assert self.private_key.decrypt(self.c).tolist() == self.x.tolist()
        assert self.peer.decrypt(self.numbers) == self.few


def operations() -> Iterator[Measured]:
    """Encrypting, decrypting and adding at 2048 bits in batches of 256, per ciphertext."""
    sides, other = Sides(2048), pypaillier.Peer(2048)
    public_key, private_key, peer, c = sides.public_key, sides.private_key, sides.peer, sides.c
    blobs = other.encrypt(sides.x.tolist())
    np.testing.assert_allclose(other.decrypt(blobs[:4]), sides.few[:4], atol=1e-8)
    np.testing.assert_allclose(other.decrypt([other.sum(blobs)]), sides.x.sum(), atol=1e-5)
    d, numbers = public_key.encrypt(sides.x[::-1]), sides.numbers * 32
    assert private_key.decrypt(c + d).tolist() == (sides.x + sides.x[::-1]).tolist()
    assert peer.decrypt(peer.add(sides.numbers, sides.numbers)) == [2 * value for value in sides.few]

    def encrypt() -> object:
        return public_key.encrypt(sides.x)

    yield ratio(
        "encrypt-2048", "encrypt 256 values, 2048 bits", compare(encrypt, lambda: peer.encrypt(sides.few), (256, 8))
    )
    many = sides.x[:32].tolist()
    comparison = compare(encrypt, lambda: other.encrypt(many), (256, 32))
    yield ratio("encrypt-pypaillier", "encrypt 256 values, 2048 bits", comparison, "pypaillier")

    def decrypt() -> object:
        return private_key.decrypt(c[:64])

    comparison = compare(decrypt, lambda: peer.decrypt(sides.numbers), (64, 8))
    yield ratio("decrypt", "decrypt 64 values, 2048 bits", comparison)
    comparison = compare(decrypt, lambda: other.decrypt(blobs[:8]), (64, 8))
    yield ratio("decrypt-pypaillier", "decrypt 64 values, 2048 bits", comparison, "pypaillier")

    def add() -> object:
        return c + d

    yield ratio("add", "add 256 ciphertexts", compare(add, lambda: peer.add(numbers, numbers), (256, 256)))
    comparison = compare(add, lambda: other.sum(blobs), (256, 255))
    yield ratio("add-pypaillier", "add 256 ciphertexts", comparison, "pypaillier")

    factors = np.random.default_rng(3).integers(1 << 52, 1 << 53, size=256)
    plain = [int(factor) for factor in factors[:8]]
    assert peer.decrypt(peer.multiply(sides.numbers, plain)) == [f * v for f, v in zip(plain, sides.few, strict=True)]
    np.testing.assert_allclose(private_key.decrypt(c * factors), sides.x * factors, rtol=1e-15)
    comparison = compare(lambda: c * factors, lambda: peer.multiply(sides.numbers, plain), (256, 8))
    yield ratio("multiply", "ciphertext * 53-bit plain", comparison)


def key_lengths() -> Iterator[Measured]:
    """Encrypting at the other key lengths."""
    for key_length in (1024, 3072, 4096):
        sides = Sides(key_length, few=4)
        comparison = compare(
            lambda s=sides: s.public_key.encrypt(s.x),  # type: ignore[misc]
            lambda s=sides: s.peer.encrypt(s.few),  # type: ignore[misc]
            (256, 4),
            pairs=5,
        )
        yield ratio(f"encrypt-{key_length}", f"encrypt 256 values, {key_length} bits", comparison)


def singles() -> Iterator[Measured]:
    """Whole calls for one value, without a pool."""
    sides = Sides(2048, batch=1, few=1)
    encrypt = compare(
        lambda: [sides.public_key.encrypt(sides.x) for _ in range(10)],
        lambda: sides.peer.encrypt(sides.few),
        (10, 1),
        pairs=21,
    )
    yield ratio("encrypt-1", "encrypt one value, 2048 bits", encrypt)
    decrypt = compare(
        lambda: [sides.private_key.decrypt(sides.c) for _ in range(3)],
        lambda: sides.peer.decrypt(sides.numbers),
        (3, 1),
        pairs=21,
    )
    yield ratio("decrypt-1", "decrypt one value, 2048 bits", decrypt)


def facade() -> Iterator[Measured]:
    """Loops of single calls with phe's names, on vecphe.phe and on phe, 2048 bits, per call."""
    pairs = [module.generate_paillier_keypair(n_length=2048) for module in (vecphe.phe, phe)]
    (public, private), (phe_public, phe_private) = pairs
    values = np.random.default_rng(5).normal(size=256).tolist()
    numbers, phe_numbers = [public.encrypt(v) for v in values], [phe_public.encrypt(v) for v in values[:8]]
    assert [private.decrypt(number) for number in numbers] == values
    assert [phe_private.decrypt(number) for number in phe_numbers] == values[:8]

    def line(
        key: str, name: str, call: Callable[[Any, float], object], theirs: Callable[[Any, float], object]
    ) -> Measured:
        comparison = compare(
            lambda: [call(number, v) for number, v in zip(numbers, values, strict=True)],
            lambda: [theirs(number, v) for number, v in zip(phe_numbers, values[:8], strict=True)],
            (256, 8),
        )
        return ratio(f"facade_{key}", f"vecphe.phe: {name}, 2048 bits", comparison)

    yield line(
        "encrypt", "loop over pub.encrypt(v)", lambda _, v: public.encrypt(v), lambda _, v: phe_public.encrypt(v)
    )
    yield line(
        "decrypt", "loop over priv.decrypt(x)", lambda x, _: private.decrypt(x), lambda x, _: phe_private.decrypt(x)
    )
    yield line("add", "loop over x + x", lambda x, _: x + x, lambda x, _: x + x)
    yield line("add-plain", "loop over x + v", lambda x, v: x + v, lambda x, v: x + v)
    yield line("multiply", "loop over x * v", lambda x, v: x * v, lambda x, v: x * v)


def matrix() -> Iterator[Measured]:
    """A plain 100 x 100 matrix of 32-bit integers times an encrypted vector, per entry."""
    sides = Sides(2048, batch=100, few=100)
    a = np.random.default_rng(4).integers(1 << 31, 1 << 32, size=(100, 100))
    c, peer = sides.c, sides.peer
    np.testing.assert_allclose(sides.private_key.decrypt(a[:2] @ c), a[:2] @ sides.x, rtol=1e-12)
    row = [int(entry) for entry in a[0]]
    np.testing.assert_allclose(peer.decrypt([_dot(peer, sides.numbers, row)]), a[0] @ sides.x, rtol=1e-12)
    comparison = compare(lambda: a @ c, lambda: _dot(peer, sides.numbers, row), (10_000, 100), pairs=5)
    yield ratio("matmul", "100 x 100 matrix @ vector, 32-bit entries", comparison)
    elementwise = compare(lambda: a @ c, lambda: (c * a[:10]).sum(axis=1), (10_000, 1000), pairs=5)
    yield ratio(
        "matmul-elementwise", "100 x 100 matrix @ vector, 32-bit entries", elementwise, "products and sums here"
    )


def _dot(peer: phe_loop.Peer, numbers: list[phe.EncryptedNumber], row: list[int]) -> phe.EncryptedNumber:
    total, *rest = peer.multiply(numbers, row)
    for number in rest:
        total = total + number
    return total


def first_encryption() -> Iterator[Measured]:
    """The very first encryption under a new key, tables and all."""
    times = []
    for _ in range(11):
        public_key, _ = vecphe.generate_keypair(2048)
        phe_public = phe.PaillierPublicKey(public_key.n)
        times.append((once(lambda key=public_key: key.encrypt(1.5)), once(lambda key=phe_public: key.encrypt(1.5))))  # type: ignore[misc]
    yield ratio("first", "first encryption under a new key, 2048 bits", compare_times(times))


def keygen() -> Iterator[Measured]:
    median = statistics.median(once(lambda: vecphe.generate_keypair(2048)) for _ in range(20))
    yield Measured("keygen", "key generation, 2048 bits, median of 20", median, "s", at_most=True)


def protocol() -> Iterator[Measured]:
    """Whole runs of 5 clients on the diabetes data, per iteration, without making keys and tables."""
    data = get_data(5)
    for key_length, naive_iterations in ((1024, 4), (2048, 2)):

        def run(backend: Any, iterations: int, key_length: int = key_length) -> Any:
            config = {"key_length": key_length, "n_iter": iterations, "backend": backend, "insecure": True}
            return federated_learning(*data, config)

        times, setups = [], []
        for _ in range(7):
            ours, theirs = run("packed", 50), run(NaiveBackend(phe), naive_iterations)
            np.testing.assert_allclose(ours.history[naive_iterations - 1], theirs.weights[0], rtol=1e-9)
            times.append((ours.seconds_per_round, theirs.seconds_per_round))
            setups.append(ours.seconds["setup"])
        comparison = compare_times(times)
        yield ratio(f"protocol-{key_length}", f"protocol round, 5 clients, packed, {key_length} bits", comparison)
    yield Measured("setup", "protocol set-up, 2048 bits", statistics.median(setups), "s", at_most=True)


def jobs() -> Iterator[Measured]:
    """Two workers against one, with the pool already running."""
    public_key, private_key = vecphe.generate_keypair(2048)
    x = np.random.default_rng(2).normal(size=4096)
    assert private_key.decrypt(public_key.encrypt(x, n_jobs=2)[:32]).tolist() == x[:32].tolist()
    comparison = compare(
        lambda: public_key.encrypt(x, n_jobs=2), lambda: public_key.encrypt(x, n_jobs=1), (4096, 4096), pairs=5
    )
    detail = f"{comparison.ours * 4096:.3g} s against {comparison.theirs * 4096:.3g} s"
    yield Measured("jobs", "encrypt 4096 values with n_jobs=2, against 1", comparison.ratio, "x", detail)


GROUPS: dict[str, Callable[[], Iterator[Measured]]] = {
    "operations": operations,
    "key-lengths": key_lengths,
    "singles": singles,
    "facade": facade,
    "matrix": matrix,
    "first": first_encryption,
    "keygen": keygen,
    "protocol": protocol,
    "kernel": lines_core.kernel,
    "tables": lines_core.tables,
    "validation": lines_core.validation,
    "overhead": lines_core.overhead,
    "imports": lines_core.imports,
    "jobs": jobs,
}
