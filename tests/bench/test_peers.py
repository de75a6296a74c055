"""Other libraries in the table: interleaved with ours, checked, and told of where they have no row."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from vecphe.bench import peers, runner, sides
from vecphe.bench.environment import Environment
from vecphe.bench.matrix import Matrix
from vecphe.bench.records import Case
from vecphe.bench.runner import Runner
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients
from vecphe.errors import BenchmarkError


def plain(slots: int = 1, wrong: float = 0.0, **changes: Any) -> Any:
    """A library that encrypts nothing."""
    return SimpleNamespace(
        encrypt=list,
        add=lambda a, b: [x + y for x, y in zip(a, b, strict=True)],
        decrypt=lambda total: [x + wrong for x in total],
        error=1e-9,
        nbytes=lambda total: 100 * len(total),
        slots=slots,
        **changes,
    )


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stand-ins of two libraries, of which one takes no short keys; the lengths that they made keys of."""
    asked: list[int] = []

    def long_only(key_length: int) -> Any:
        asked.append(key_length)
        if key_length < 1024:
            raise peers.UnfitError("pypaillier takes keys of 1024 bits and more")
        return plain()

    made = {"pypaillier": (long_only, "json", "numpy"), "tenseal": (lambda _: plain(slots=3), "json", "gmpy2")}
    monkeypatch.setattr(peers, "_LIBRARIES", {**peers._LIBRARIES, **made})
    return asked


def test_each_library_has_a_row_and_is_measured_in_turn(two: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    run = Side.run
    monkeypatch.setattr(Side, "run", lambda side, vectors: order.append(side.name) or run(side, vectors))
    monkeypatch.setattr(runner, "_MOST_ROUNDS", 1)
    matrix = Matrix.quick(
        key_lengths=(1024,), clients=(3,), values=(4,), backends=("packed",), peers=("phe", "pypaillier", "tenseal")
    )
    measuring = Runner(matrix)
    measuring.calibrate(lambda text, seconds: None)
    order.clear()
    found = measuring.run(lambda text, seconds: None)
    names = ["naive", "packed", "pypaillier", "tenseal"]
    assert [record.backend for record in found.records] == names
    assert order[:4] == order[4:8] == names
    assert len({record.n_samples for record in found.records}) == 1
    by_name = {record.backend: record for record in found.records}
    assert by_name["tenseal"].ciphertexts == 2
    assert by_name["pypaillier"].bytes_per_value == 100
    assert by_name["pypaillier"].speed_up is not None
    assert by_name["pypaillier"].reference == by_name["naive"].samples["round"]
    e = by_name["tenseal"].environment
    assert (e.engine, e.target) == ("gmpy2", importlib.metadata.version("gmpy2"))
    assert by_name["packed"].environment == Environment.current()


def test_a_library_without_a_row_is_told_of(two: list[int]) -> None:
    matrix = Matrix.quick(
        key_lengths=(512, 1024), clients=(3,), values=(4,), backends=("packed",), peers=("pypaillier",), repeats=2
    )
    measuring = Runner(matrix)
    measuring.calibrate(lambda text, seconds: None)
    found = measuring.run(lambda text, seconds: None)
    assert "pypaillier takes keys of 1024 bits and more: it has no row at 512" in found.warnings
    rows = [("packed", 512), ("packed", 1024), ("pypaillier", 1024)]
    assert [(record.backend, record.case.key_length) for record in found.records] == rows
    assert found.complete
    assert two == [512, 1024]


def test_a_wrong_sum_of_a_library_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "make_peer", lambda name, key_length: plain(wrong=1e-7))
    with pytest.raises(BenchmarkError, match="the lightphe backend decrypted a wrong sum"):
        Side("lightphe", 1024, 3).run(gradients(3, 4))
    monkeypatch.setattr(sides, "make_peer", lambda name, key_length: plain(wrong=5e-9))
    assert Side("lightphe", 1024, 3).run(gradients(3, 4)).total.nbytes == 400


def test_slow_libraries_are_capped_and_those_that_pack_are_not(two: list[int]) -> None:
    matrix = Matrix(
        key_lengths=(1024,), clients=(3,), values=(5000,), peers=("pypaillier", "tenseal"), naive_seconds=1e-9
    )
    shapes = {plan.side.name: plan.vectors.shape for plan in Runner(matrix)._plan(Case(1024, 3, 5000))}
    assert shapes == {
        "naive": (3, 1), "vectorized": (3, 5000), "packed": (3, 5000), "pypaillier": (3, 1), "tenseal": (3, 5000)
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in peers.PEERS if name != "phe"])
def test_what_is_installed_sums_right(name: str) -> None:
    if peers.missing(name):
        pytest.skip(f"{name} NOT TESTED: {peers.missing(name)}")
    if name == "pypaillier":
        assert "paillier" in sys.modules or importlib.import_module("paillier")
        with pytest.raises(peers.UnfitError, match="pypaillier takes keys of 2048 bits and more"):
            Side(name, 1024, 3)
        return  # its safe primes take half a minute
    assert Side(name, 1024, 3).run(gradients(3, 2)).total.n_ciphertexts in (1, 2)


# What each library is asked, with those played that may not be installed


def test_phe_encodes_finely_enough_for_sums_without_rounding() -> None:
    peer = peers.make_peer("phe", 512)
    x, y = peer.encrypt([0.1, -2.5]), peer.encrypt([1.0 / 3, 7.0])
    assert {number.exponent for number in (*x, *y)} == {-28}  # 16**-28 is 2**-112
    assert peer.decrypt(peer.add(x, y)) == [0.1 + 1.0 / 3, 4.5]
    assert peer.decrypt(peer.multiply(x, [2.0, -0.5])) == [0.2, 1.25]
    assert peer.error == 0.0
    with pytest.raises(ValueError, match="zip"):
        peer.add(x, y[:1])


class Paillier:
    """A module `paillier` whose blobs are texts of what they hold."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def generate_keypair(self, key_length: int) -> tuple[str, str]:
        self.asked.append(key_length)
        return "public", "private"

    def encrypt_many(self, public: str, values: list[float]) -> list[bytearray]:
        assert public == "public"
        return [bytearray(str(value).encode()) for value in values]

    def add_many(self, public: str, blobs: list[bytes]) -> bytearray:
        assert public == "public"
        return bytearray(b"+".join(blobs))

    def decrypt(self, private: str, blob: bytes) -> str:
        assert private == "private"
        return blob.decode()


@pytest.mark.parametrize("key_length", [2048, 2050])
def test_what_pypaillier_is_asked(monkeypatch: pytest.MonkeyPatch, key_length: int) -> None:
    library = Paillier()
    monkeypatch.setitem(sys.modules, "paillier", library)
    for short in (1024, 2046, 2047):
        with pytest.raises(peers.UnfitError) as told:
            peers.make_peer("pypaillier", short)
        assert str(told.value) == "pypaillier takes keys of 2048 bits and more"
    peer = peers.make_peer("pypaillier", key_length)
    assert library.asked == [key_length]
    blobs = peer.encrypt([1.5, 2.0])
    assert blobs == [b"1.5", b"2.0"]
    assert {type(blob) for blob in (*blobs, *peer.add(blobs, blobs), *peer.sum(blobs))} == {bytes}
    assert (peer.add(blobs, [b"a", b"b"]), peer.sum(blobs)) == ([b"1.5+a", b"2.0+b"], [b"1.5+2.0"])
    assert (peer.decrypt(blobs), peer.nbytes([b"a", b"bcd"]), peer.error) == (["1.5", "2.0"], 4, 1e-8)


def test_what_lightphe_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers have no signs, so those above n / 2 are negative ones."""
    asked: list[Any] = []
    n = 2**61 - 1

    def scheme(**how: Any) -> Any:
        asked.append(how)
        cs = SimpleNamespace(keys={"public_key": {"n": n}})
        return SimpleNamespace(cs=cs, encrypt=lambda value: value, decrypt=lambda number: str(number % n))

    monkeypatch.setitem(sys.modules, "lightphe", SimpleNamespace(LightPHE=scheme))
    logging.getLogger("lightphe").setLevel(logging.DEBUG)
    peer = peers.make_peer("lightphe", 1024)
    assert asked == [{"algorithm_name": "Paillier", "key_size": 1024}]
    assert logging.getLogger("lightphe").level == logging.ERROR
    assert peer.encrypt([1.5, -1.5, 2.0**-41 * 1.01]) == [3 * 2**39, n - 3 * 2**39, 1]
    half = n // 2
    assert peer.decrypt([0, 3 * 2**39, n - 3 * 2**39]) == [0.0, 1.5, -1.5]
    assert peer.decrypt([half, half + 1]) == [half / 2**40, -half / 2**40]
    assert peer.add([1, 2], [10, 20]) == [11, 22]
    assert peer.error == 2.0**-40
    assert peer.nbytes([0] * 3) == 3 * 16  # 122 bits


@pytest.mark.parametrize(
    ("options", "degree", "sizes", "scale", "error"),
    [
        ({}, 8192, [60, 40, 60], 2**40, 1e-6),
        ({"degree": 8192}, 8192, [60, 40, 60], 2**40, 1e-6),
        ({"degree": 4096}, 4096, [40, 20, 40], 2**20, 0.1),
    ],
)
def test_what_tenseal_is_asked(
    monkeypatch: pytest.MonkeyPatch, options: Any, degree: int, sizes: list[int], scale: int, error: float
) -> None:
    context, asked = SimpleNamespace(), list[Any]()

    class Vector(list[float]):
        def __init__(self, of: Any, values: Any) -> None:
            assert of is context
            super().__init__(values)

        def decrypt(self) -> str:
            return f"decrypted {list(self)}"

        def serialize(self) -> bytes:
            return bytes(11)

    library = SimpleNamespace(
        SCHEME_TYPE=SimpleNamespace(CKKS="ckks"),
        context=lambda *of, **how: asked.append((of, how)) or context,
        ckks_vector=Vector,
    )
    monkeypatch.setitem(sys.modules, "tenseal", library)
    peer = peers.make_peer("tenseal", 2048, **options)
    how = {"n_threads": 1, "poly_modulus_degree": degree, "coeff_mod_bit_sizes": sizes}
    assert asked == [(("ckks",), how)]
    assert (context.global_scale, peer.slots, peer.error) == (scale, degree // 2, error)
    vector = peer.encrypt([1.0, 2.0])
    assert (peer.decrypt(vector), peer.nbytes(vector)) == ("decrypted [1.0, 2.0]", 11)
    assert peer.add(vector, [3.0]) == [1.0, 2.0, 3.0]  # of lists, the sum


def test_what_is_installed_is_known_by_module_and_told_by_package(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_for: list[str] = []
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: looked_for.append(name))
    assert [peers.missing(name) for name in peers.PEERS] == [f"pip install {name}" for name in peers.PEERS]
    assert looked_for == ["phe", "paillier", "lightphe", "tenseal"]
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: object())
    assert [peers.missing(name) for name in peers.PEERS] == [None] * 4
    monkeypatch.setattr(peers.importlib.metadata, "version", lambda package: f"version of {package}")
    assert peers.distribution("pypaillier") == ("pypaillier", "version of pypaillier")
    assert peers.PEERS == ("phe", "pypaillier", "lightphe", "tenseal")
    assert [peers.is_loop(name) for name in peers.PEERS] == [True, True, True, False]
