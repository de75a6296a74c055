"""The cuda engine on the host build of its kernels, and its glue to CuPy on a fake one: HAZARDS row 82."""

from __future__ import annotations

import gc
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gmpy2 import next_prime
from tests.arithmetic.fake_cupy import CompileException, CUDADriverError, CUDARuntimeError, Fake, OutOfMemoryError, fake
from tests.arithmetic.host_device import COMPILER, NOT_TESTED, HostDevice, folder

import vecphe
import vecphe.federated
from vecphe.arithmetic import (
    Cancellation,
    active_engine,
    available_engines,
    cuda,
    cuda_device,
    engine_for,
    selection,
    words_from_integers,
)
from vecphe.arithmetic.cuda import SHAPES, CudaEngine, CudaRing
from vecphe.arithmetic.cuda_device import Buffer, CupyDevice, Limbs, Shape, why_no_device
from vecphe.arithmetic.cuda_kernels import Kernels, halved, shape_for, words32
from vecphe.arithmetic.gmp import GmpRing
from vecphe.errors import EngineUnavailableError, InvalidCiphertextError, ParallelError
from vecphe.numbers.primes import random_prime_pair

__all__ = ["fake"]

pytestmark = pytest.mark.skipif(not COMPILER, reason=NOT_TESTED)
MERSENNE = 2**521 - 1, 2**607 - 1


@pytest.fixture(scope="module")
def device() -> HostDevice:
    return HostDevice()


@pytest.fixture(scope="module")
def engine(device: HostDevice) -> CudaEngine:
    return CudaEngine(device)


def test_without_a_gpu_the_device_is_not_under_test() -> None:
    if why_not := dict(available_engines())["cuda"]:
        pytest.skip(f"{why_not}: THE CUDA ENGINE IS UNDER TEST ON THE HOST ALONE")
    assert selection.engine_named("cuda").describe()["target"]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_limb_edges_at_every_compiled_length(engine: CudaEngine, shape: Shape) -> None:
    bits = 29 * shape.lanes * shape.limbs - 12
    n = 2**bits - 1  # all limbs full
    ring = engine.ring(n)
    assert ring.kernels.shape == shape
    full = [(1 << (29 * i)) - 1 for i in (1, shape.limbs, 2 * shape.limbs)]
    values = [0, 1, n - 1, n, n + 1, n * n - 1, n * n - n, *full, *(n * n - x for x in full)]
    batch = ring.load(values)
    assert ring.store(batch) == values
    assert ring.store(ring.multiply(batch, batch)) == [x * x % n**2 for x in values]
    assert ring.store(ring.power_vartime(batch, [0x8F0] * len(values))) == [pow(x, 0x8F0, n**2) for x in values]
    table = ring.fixed_base(n * n - 2, 64, 5)
    exponents = [0, 1, 2**64 - 1, 0x8421]
    powers = table.power_secret(words_from_integers(exponents, 1))
    assert ring.store(powers) == [pow(-2, e, n**2) for e in exponents]
    plain = ring.multiply_plain(powers, words_from_integers([0, n - 1, 5, n // 2], ring.plaintext_words), -1)
    for _ in range(4):  # its bounds do not grow
        plain = ring.multiply_plain(plain, words_from_integers([n - 1] * 4, ring.plaintext_words), 0)
    expected = [
        (1 + (m - 1 - 4) * n) * pow(-2, e, n**2) % n**2 for m, e in zip([0, n - 1, 5, n // 2], exponents, strict=True)
    ]
    assert ring.store(plain) == expected


def test_the_next_longer_modulus_takes_the_next_length(engine: CudaEngine) -> None:
    for shape, longer in pairwise(SHAPES):
        assert engine.ring((1 << 29 * shape.lanes * shape.limbs - 11) - 1).kernels.shape == longer
    with pytest.raises(EngineUnavailableError, match="up to 4096 bits, not 4165"):
        engine.ring((1 << 4165) - 1)


@pytest.mark.parametrize(
    ("key_length", "of_prime", "of_n"), [(1024, 20, 36), (2048, 36, 72), (3072, 56, 112), (4096, 72, 144)]
)
def test_keys_of_the_usual_lengths_have_as_many_limbs_as_they_need(key_length: int, of_prime: int, of_n: int) -> None:
    for bits, slack, limbs in ((key_length // 2, 7, of_prime), (key_length, 12, of_n)):
        lanes, own = shape_for(bits, slack)
        assert lanes * own == limbs
        assert lanes in (4, 8, 16)  # a warp has whole groups


def test_the_next_longer_prime_takes_the_next_length(engine: CudaEngine) -> None:
    """Seven bits longer than the longer of both has to be what they are counted in."""
    for bits, shape in ((29 * 20 - 7, SHAPES[0]), (29 * 20 - 6, SHAPES[1])):
        for p, q in ((2**bits - 1, MERSENNE[0]), (MERSENNE[0], 2**bits - 1)):
            assert engine.decryptor(p, q)._kernels.shape == shape
    p, q = (int(next_prime(2 ** (29 * 20 - 7) - 2**distance)) for distance in (12, 13))  # all of their limbs are full
    ring, plaintexts = engine.ring(p * q), words_from_integers([0, 1, p * q - 1], 18)
    encrypted = ring.multiply_plain(ring.power_vartime(ring.load([2, 3, 5]), [p * q] * 3), plaintexts, 0)
    assert np.array_equal(engine.decryptor(p, q).decrypt(ring, encrypted, 0), plaintexts)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_plaintexts_have_fewer_words_than_a_residue(engine: CudaEngine, shape: Shape) -> None:
    ring = engine.ring((1 << 29 * shape.lanes * shape.limbs - 12) - 1)
    most = 2 * 29 * ring.kernels.k // 64
    plaintext = [(1 << 64 * most) - 1]
    multiplied = ring.multiply_plain(ring.ones(1), words_from_integers(plaintext, most), 0)
    assert ring.store(multiplied) == [1 + plaintext[0] % ring.n * ring.n]
    with pytest.raises(ValueError, match="plaintexts of too many words"):
        ring.multiply_plain(ring.ones(1), words_from_integers(plaintext, most + 1), 0)


def test_a_length_is_tested_once(device: HostDevice) -> None:
    engine = CudaEngine(device)
    ring = engine.ring(33)
    device.launches.clear()
    assert engine.ring(35).kernels is ring.kernels
    assert not device.launches


def test_residues_take_two_coordinates_of_whole_limbs(engine: CudaEngine) -> None:
    for bits, limbs in ((500, 20), (1000, 36)):
        ring = engine.ring((1 << bits) - 1)
        assert [ring.resident_bytes(ring.ones(count)) for count in (0, 1, 3)] == [0, 8 * limbs, 24 * limbs]


def test_decryption_at_4096_bits_and_of_primes_of_two_lengths(engine: CudaEngine) -> None:
    for p, q in (random_prime_pair(4096), MERSENNE, MERSENNE[::-1]):
        n = p * q
        ring, plaintexts = engine.ring(n), [0, 1, n - 1]
        words = words_from_integers(plaintexts, ring.plaintext_words)
        encrypted = ring.multiply_plain(ring.power_vartime(ring.load([2, 3, 5]), [n] * 3), words, 0)
        assert np.array_equal(engine.decryptor(p, q).decrypt(ring, encrypted, 0), words)


def test_h61_what_does_not_fit_the_device_is_cut(device: HostDevice) -> None:
    p, q = random_prime_pair(512)
    n, small = p * q, HostDevice(free=1 << 14)
    values = [pow(7, i + 1, n * n) for i in range(40)]
    exponents, plaintexts = words_from_integers(range(40), 1), words_from_integers(range(100, 140), 1)
    results = []
    for given in (device, small):
        engine = CudaEngine(given)
        ring = engine.ring(n)
        given.launches.clear()
        batch, table = ring.load(values), ring.fixed_base(3, 64, 8)
        results.append(
            [
                ring.store(batch),
                ring.store(ring.power_secret(batch, exponents)),
                ring.store(ring.matrix_power_vartime([list(range(40)), [2**70] * 40], batch)),
                ring.store(ring.multiply_plain(table.power_secret(exponents), plaintexts, 5)),
                engine.decryptor(p, q).decrypt(ring, ring.multiply_plain(ring.ones(40), plaintexts, 0), 1).tolist(),
            ]
        )
        assert (table.window < 8) == (given is small)
    assert results[0] == results[1]
    for kernel in ("load", "store", "power", "multiply_plain", "enter_halves"):
        assert sum(name == kernel for name, _ in small.launches) >= 2
        assert max(count for name, count in small.launches if name == kernel) < 80


class _Counting(HostDevice):
    """Counts the words that are asked for."""

    words = 0
    steps = 0  # that the last powers took
    uploaded: tuple[int, ...] = ()  # shape of what was the last

    def launch(self, shape: Shape, kernel: str, count: int, *arguments: Any) -> None:
        super().launch(shape, kernel, count, *arguments)
        if kernel == "power":
            self.steps = arguments[-1]

    def allocate(self, words: int) -> Buffer:
        self.words += words
        return super().allocate(words)

    def upload(self, words: Limbs) -> Buffer:
        self.words, self.uploaded = self.words + words.size, words.shape
        return super().upload(words)


def _five(count: int) -> Any:
    return words_from_integers([5] * count, 3)


CUT: dict[str, Callable[[CudaRing, Any], object]] = {
    "load": lambda ring, batch: ring.load_bytes(ring.store_bytes(batch)),
    "store": lambda ring, batch: ring.store_bytes(batch),
    "multiply_plain": lambda ring, batch: ring.multiply_plain(batch, _five(3), 0),
    "power": lambda ring, batch: ring.power_secret(batch, _five(3)),
    "matrix": lambda ring, batch: ring.matrix_power_vartime([[2**130] * 3] * 7, batch),
    "fixed_base": lambda ring, batch: ring.fixed_base(3, 192, 4).power_secret(_five(3)),
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """Of each piece that is over, the words an item that it was cut by, and those that it asked for."""
    found, pieces = list[tuple[int, float]](), Kernels.pieces

    def counted(self: Kernels, count: int, words: int, *most: int) -> Iterator[tuple[int, int]]:
        for start, stop in pieces(self, count, words, *most):
            before = self.device.words  # type: ignore[attr-defined]
            yield start, stop
            found.append((words, (self.device.words - before) / (stop - start)))  # type: ignore[attr-defined]

    monkeypatch.setattr(Kernels, "pieces", counted)
    return found


@pytest.fixture(scope="module")
def counting() -> CudaEngine:
    return CudaEngine(_Counting())


@pytest.mark.parametrize("operation", CUT)
def test_h61_pieces_are_cut_by_what_they_take(
    operation: str, counting: CudaEngine, taken: list[tuple[int, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, device = counting.ring(math.prod(MERSENNE)), counting._device
    batch = ring.load([2, 3, 5])
    for free, pieces in ((1 << 30, 1), (0, 7 if operation == "matrix" else 3)):
        monkeypatch.setattr(device, "free", free)
        taken.clear()
        CUT[operation](ring, batch)
        _check_pieces(operation, taken, pieces)


def _check_pieces(operation: str, taken: list[tuple[int, float]], pieces: int) -> None:
    if operation == "matrix":
        words, of_column = taken.pop()  # of a piece with all that is cut in it
        assert words <= of_column
    assert len(taken) >= pieces
    assert all(words == of_piece for words, of_piece in taken if operation != "matrix" or words < 1000)


@pytest.mark.parametrize("bits", [0, 1, 4, 5, 63, 64, 65])
def test_powers_take_a_step_for_each_four_bits(counting: CudaEngine, bits: int) -> None:
    ring, device, words = counting.ring(35), counting._device, -(-bits // 64)
    assert isinstance(device, _Counting)
    exponents = [(1 << bits) - 1, 0]
    ring.power_vartime(ring.ones(2), exponents)
    assert device.steps == max(-(-bits // 4), 1)
    ring.matrix_power_vartime([exponents] * 3, ring.ones(2))
    assert device.steps == max(-(-bits // 4), 1)
    ring.power_secret(ring.ones(2), words_from_integers(exponents, max(words, 1)))
    assert device.steps == 16 * max(words, 1)


def test_a_decryption_takes_a_step_for_each_four_bits_of_the_longer_prime(counting: CudaEngine) -> None:
    device = counting._device
    assert isinstance(device, _Counting)
    for p, q in (MERSENNE, MERSENNE[::-1], (3, 11)):
        bits, ring = max(p, q).bit_length(), counting.ring(p * q)
        decryptor = counting.decryptor(p, q)
        assert device.uploaded == (2, 2 * -(-bits // 64))  # both exponents
        decryptor.decrypt(ring, ring.ones(1), 0)
        assert device.steps == -(-bits // 4)


def test_h78_work_on_a_device_ends_between_two_pieces(counting: CudaEngine) -> None:
    ring, work = counting.ring(35), Cancellation()
    batch = ring.ones(2)
    with work.observed():
        work.cancel()
        with pytest.raises(ParallelError, match="cancelled"):
            ring.store(batch)
    assert ring.store(batch) == [1, 1]


@pytest.mark.parametrize("width", range(1, 10))
def test_bytes_and_words_become_words_of_32_bits(width: int) -> None:
    values = [0x0807060504030201 & ((1 << 8 * width) - 1), (1 << 8 * width) - 1]
    rows = np.frombuffer(b"".join(value.to_bytes(width, "little") for value in values), np.uint8).reshape(2, width)
    words = words32(rows)
    assert (words.shape, words.dtype) == ((2, -(-width // 4)), np.uint32)
    assert [sum(int(word) << 32 * i for i, word in enumerate(row)) for row in words] == values
    whole = words_from_integers(values, 2)
    for order in ("<u8", ">u8"):
        assert halved(whole.astype(order)).tolist() == [
            [value >> 32 * i & 0xFFFFFFFF for i in range(4)] for value in values
        ]


@pytest.mark.parametrize("bound", [1, 256, 0x1234, 0xFF00FF])
def test_residues_below_a_bound_are_told_from_all_others(bound: int) -> None:
    def below(*values: int) -> bool:
        rows = np.frombuffer(b"".join(value.to_bytes(3, "little") for value in values), np.uint8).reshape(-1, 3)
        return cuda._all_below(rows, bound)

    assert below(0) is below(bound - 1) is below(0, bound - 1) is below() is True
    assert below(bound) is below(bound - 1, bound) is below(bound + 1, 0) is below(0xFFFFFF, 0) is False


@pytest.mark.parametrize("shape", SHAPES[:2], ids=str)
def test_the_self_test_computes_with_all_limbs_of_its_length(
    shape: Shape, device: HostDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, of_ring = [], CudaRing.__init__
    monkeypatch.setattr(CudaRing, "__init__", lambda self, n, kernels: made.append(n) or of_ring(self, n, kernels))
    kernels = Kernels(device, shape)
    assert cuda._known_answer(kernels) is True
    assert 29 * kernels.k - 12 - 4 < made[0].bit_length() <= 29 * kernels.k - 12
    assert len(made) == 1


def test_the_self_test_of_the_engine_compiles_the_least_length(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(cuda, "_known_answer", lambda kernels: asked.append(kernels.shape) or True)
    assert CudaEngine(HostDevice()).known_answers() is True
    assert asked == [SHAPES[0]]


def test_h61_a_decryption_is_cut_by_what_it_takes(counting: CudaEngine, taken: list[tuple[int, float]]) -> None:
    """Of a key whose n has just twice the limbs of its primes: none needs more."""
    p, q = random_prime_pair(2048)
    ring, decryptor = counting.ring(p * q), counting.decryptor(p, q)
    assert (ring.kernels.k, decryptor._kernels.k) == (72, 36)
    batch = ring.ones(2)
    taken.clear()
    decryptor.decrypt(ring, batch, 0)
    [(words, of_piece)] = taken
    assert 0.995 * words < of_piece <= words


@pytest.mark.parametrize(
    ("free", "words", "most", "steps"),
    [
        (16 * 100, 10, 50, 10),  # a sixteenth of what is free
        (16 * 100, 11, 50, 9),
        (16 * 100, 50, 50, 2),
        (16 * 100, 53, 50, 1),
        (16 * 100, 1, 50, 50),  # no more than these
        (16 * 100, 101, 50, 1),  # at least one
        (0, 1, 50, 1),
        (1 << 40, 1 << 22, 1 << 16, 64),  # 1 GiB
        (1 << 40, 1 << 10, 1 << 16, 1 << 16),
    ],
)
def test_h61_how_work_is_cut_into_pieces(free: int, words: int, most: int, steps: int) -> None:
    kernels = Kernels(HostDevice(free), SHAPES[0])
    for count in (1, steps, steps + 1, 3 * steps):
        pieces = list(kernels.pieces(count, words, most))
        assert [start for start, _ in pieces] == list(range(0, count, steps))
        assert [stop for _, stop in pieces] == [*(start for start, _ in pieces[1:]), count]
    assert not list(kernels.pieces(0, words, most))


@pytest.mark.parametrize("n", [33, 2**568 - 1, 2**567 + 1])
def test_what_is_added_before_a_difference_is_a_multiple_with_large_digits(n: int) -> None:
    """Of n, of at least 4R, and each digit but the topmost exceeds those of any number below 2R."""
    kernels = Kernels(HostDevice(), SHAPES[0])
    for moduli in ([n], [n, n]):
        rows = kernels.device.download(kernels.upload_constants([kernels.constants(n) for n in moduli]))
        for row in rows.reshape(len(moduli), -1, kernels.k)[:, 1]:
            bias = sum(int(digit) << 29 * i for i, digit in enumerate(row))
            assert bias % n == 0
            assert 4 * kernels.r <= bias < 4 * kernels.r + n
            assert all(2**30 - 2 <= digit < 2**30 + 2**29 for digit in row[:-1])


@pytest.mark.parametrize("window", [2, 3, 4, 6])
def test_h61_a_table_and_what_makes_it_take_a_quarter_of_what_is_free(window: int) -> None:
    """Of each entry three residues: its logarithm has two coordinates, and it is inverted."""
    device = HostDevice()
    ring = CudaEngine(device).ring(math.prod(MERSENNE))
    entries = -(-64 // window) << window
    device.free = 4 * (3 * entries * 4 * ring.kernels.k)
    table = ring.fixed_base(3, 64, 7)
    assert (table.window, table.table_bytes) == (window, 2 * entries * 4 * ring.kernels.k)
    device.free -= 1
    assert ring.fixed_base(3, 64, 7).window == (window - 1 if window > 2 else 1)


def test_decrypted_words_are_overwritten(
    engine: CudaEngine, device: HostDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those on their way, and those that were there when one was found to be wrong."""
    ring, decryptor = engine.ring(math.prod(MERSENNE)), engine.decryptor(*MERSENNE)
    batch = ring.multiply_plain(ring.ones(3), words_from_integers([77, 78, 79], 1), 0)
    downloaded, made, download, empty = [], [], device.download, np.empty
    monkeypatch.setattr(device, "download", lambda buffer: [downloaded.append(download(buffer)), downloaded[-1]][1])
    monkeypatch.setattr(cuda.np, "empty", lambda *args, **kwargs: [made.append(empty(*args, **kwargs)), made[-1]][1])
    assert decryptor.decrypt(ring, batch, 0)[:, 0].tolist() == [77, 78, 79]
    assert len(downloaded) == 2  # the words, and whether something was wrong
    assert not any(words.any() for words in downloaded)
    made.clear()
    with pytest.raises(InvalidCiphertextError):
        decryptor.decrypt(ring, ring.concatenate([batch, ring.load([0])]), 0)
    [plaintexts] = [words for words in made if words.shape == (4, 18)]
    assert not plaintexts.any()


def test_buffers_are_overwritten_when_they_go(engine: CudaEngine, device: HostDevice) -> None:
    ring = engine.ring(math.prod(MERSENNE))
    powers = ring.fixed_base(3, 64, 4).power_secret(words_from_integers([5], 1))
    memory = powers.buffer.memory
    assert memory.any()
    view = ring.part(powers, 0)
    del powers
    gc.collect()
    assert not memory.any()
    assert not view.any()
    before = device.erased
    plaintext = words_from_integers([77], 1)
    assert engine.decryptor(*MERSENNE).decrypt(ring, ring.multiply_plain(ring.ones(1), plaintext, 0), 0)[0, 0] == 77
    gc.collect()
    assert device.erased - before > (2 * 16 * 2 + 8) * 36  # tables of both halves, and what is between


class _Wrong(HostDevice):
    """Flips bits of what one kernel gives."""

    def __init__(self, kernel: str) -> None:
        super().__init__()
        self.kernel = kernel

    def launch(self, shape: Shape, kernel: str, count: int, *arguments: Any) -> None:
        super().launch(shape, kernel, count, *arguments)
        if kernel == self.kernel and not isinstance(arguments[0], int):
            memory = getattr(arguments[0], "memory", arguments[0])
            memory[1::20] ^= np.uint32(4)


@pytest.mark.parametrize(
    "kernel",
    ["load", "store", "multiply", "multiply_plain", "power", "powers", "grow_table", "close_table", "fixed_base"],
)
def test_h82_a_kernel_that_is_wrong_fails_the_self_test(kernel: str) -> None:
    wrong = CudaEngine(_Wrong(kernel))
    assert not selection.self_test(wrong)
    with pytest.raises(EngineUnavailableError, match="failed its self-test"):
        wrong.ring(35)


class _Suspicious(HostDevice):
    """Finds every decryption wrong."""

    def launch(self, shape: Shape, kernel: str, count: int, *arguments: Any) -> None:
        super().launch(shape, kernel, count, *arguments)
        if kernel == "logarithms":
            arguments[1].memory[0] = 1


@pytest.mark.parametrize("device", [_Wrong("logarithms"), _Wrong("finish"), _Suspicious()])
def test_h82_a_decryption_that_is_wrong_fails_the_self_test(
    device: HostDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_cuda_be(CudaEngine(device), monkeypatch)
    with pytest.raises(EngineUnavailableError, match="engine 'cuda' failed its self-test"):
        vecphe.generate_keypair(512, insecure=True, engine="cuda")


def test_h82_a_fault_during_decryption_is_found() -> None:
    p, q = MERSENNE
    wrong = _Wrong("nothing")
    engine = CudaEngine(wrong)
    ring, decryptor = engine.ring(p * q), engine.decryptor(p, q)
    batch = ring.ones(1)
    for kernel in ("powers", "power"):
        wrong.kernel = kernel
        with pytest.raises(InvalidCiphertextError):
            decryptor.decrypt(ring, batch, 0)


def test_an_operand_out_of_bounds_stops_the_host_build() -> None:
    script = (
        "import pathlib; from tests.arithmetic import host_device; from vecphe.arithmetic.cuda import CudaEngine\n"
        "host_device.folder = lambda: pathlib.Path({!r}); HostDevice = host_device.HostDevice\n"
        "ring = CudaEngine(HostDevice()).ring(3 * 2**500 + 1); batch = ring.ones(1); batch.buffer.memory[:] = {}\n"
        "ring.multiply(batch, batch)"
    )
    for limb, what in ((2**29 - 1, "an operand is too large"), (2**29 + 1, "a limb is too large")):
        root = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", script.format(str(folder()), limb)], cwd=root, capture_output=True, text=True
        )
        assert done.returncode == -6
        assert what in done.stderr


TAKES_BATCHES: dict[str, Callable[[CudaRing, Any, Any], object]] = {
    "store": lambda ring, own, other: ring.store(other),
    "store_bytes": lambda ring, own, other: ring.store_bytes(other),
    "take": lambda ring, own, other: ring.take(other, np.array([0])),
    "concatenate": lambda ring, own, other: ring.concatenate([own, other]),
    "all_units": lambda ring, own, other: ring.all_units(other),
    "multiply, left": lambda ring, own, other: ring.multiply(other, own),
    "multiply, right": lambda ring, own, other: ring.multiply(own, other),
    "multiply_plain": lambda ring, own, other: ring.multiply_plain(other, words_from_integers([1] * 2, 1), 0),
    "product": lambda ring, own, other: ring.product(other, 1, 2, 1),
    "invert": lambda ring, own, other: ring.invert(other),
    "grouped_product": lambda ring, own, other: ring.grouped_product(other, np.array([0, 0]), 1),
    "power_vartime": lambda ring, own, other: ring.power_vartime(other, [1, 2]),
    "power_secret": lambda ring, own, other: ring.power_secret(other, words_from_integers([1, 2], 1)),
    "matrix": lambda ring, own, other: ring.matrix_power_vartime([[1, 2]], other),
    "matrix without rows": lambda ring, own, other: ring.matrix_power_vartime([], other),
}


@pytest.mark.parametrize("operation", TAKES_BATCHES)
def test_no_operation_takes_the_batch_of_another_ring(engine: CudaEngine, operation: str) -> None:
    ring, other = engine.ring(33), engine.ring(35)
    TAKES_BATCHES[operation](ring, ring.ones(2), ring.ones(2))
    with pytest.raises(ValueError, match="the batch is that of another ring"):
        TAKES_BATCHES[operation](ring, ring.ones(2), other.ones(2))


def test_batches_of_other_rings_and_sizes_are_refused(engine: CudaEngine) -> None:
    ring, other = engine.ring(33), engine.ring(35)
    with pytest.raises(ValueError, match="another ring"):
        ring.multiply(ring.ones(1), other.ones(1))
    with pytest.raises(ValueError, match="another ring"):
        ring.store(other.ones(1))
    with pytest.raises(ValueError, match="different sizes"):
        ring.multiply(ring.ones(1), ring.ones(2))
    decryptor, of_gmp = engine.decryptor(3, 11), GmpRing(33)
    for its_ring, batch in ((other, other.ones(1)), (ring, other.ones(1)), (other, ring.ones(1))):
        with pytest.raises(ValueError, match="another key"):
            decryptor.decrypt(its_ring, batch, 0)
    with pytest.raises(ValueError, match="another key"):
        decryptor.decrypt(of_gmp, ring.ones(1), 0)
    for outside in ([2], [-1], [0, 2], [-1, 1]):
        with pytest.raises(IndexError):
            ring.take(ring.ones(2), np.array(outside))
    assert ring.store(ring.take(ring.load([2, 4]), np.array([1, 0, 1]))) == [4, 2, 4]
    assert ring.store(ring.take(ring.load([2, 4]), np.array([], np.intp))) == []
    with pytest.raises(ValueError, match="as many plaintexts"):
        ring.multiply_plain(ring.ones(2), words_from_integers([1], 1), 0)
    for shape in ((1, 2, 3), (3, 2, 1), (5, 1, 2)):
        with pytest.raises(ValueError, match="not that of the batch"):
            ring.product(ring.ones(5), *shape)
    with pytest.raises(ValueError, match="as many exponents"):
        ring.power_vartime(ring.ones(2), [1])
    with pytest.raises(ValueError, match="as many exponents"):
        ring.power_secret(ring.ones(1), words_from_integers([1, 2], 1))
    with pytest.raises(ValueError, match="one entry a residue"):
        ring.matrix_power_vartime([[1, 2], [1]], ring.ones(2))
    with pytest.raises(InvalidCiphertextError):
        ring.fixed_base(11, 8, 4)


def test_rows_of_a_matrix_are_cut_into_segments_that_fill_the_device(
    engine: CudaEngine, device: HostDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of as many columns each; what is missing in the last is filled up with ones."""
    ring = engine.ring(3 * 2**500 + 1)
    for groups, rows, columns, segments in ((4, 2, 7, 2), (6, 2, 7, 3), (5, 2, 7, 3), (100, 2, 7, 7), (1, 3, 4, 1)):
        monkeypatch.setattr(cuda, "_GROUPS_TO_FILL", groups)
        bases = [pow(5, i + 1, ring.n_squared) for i in range(columns)]
        matrix = [[(7 * i + 3 * j) ** 9 for j in range(columns)] for i in range(rows)]
        device.launches.clear()
        found = ring.store(ring.matrix_power_vartime(matrix, ring.load(bases)))
        exact = [math.prod(pow(b, e, ring.n_squared) for b, e in zip(bases, row, strict=True)) for row in matrix]
        assert found == [value % ring.n_squared for value in exact]
        assert [count for name, count in device.launches if name == "power"] == [rows * segments]
        filled = columns % segments > 0
        assert [name for name, _ in device.launches].count("gather") == filled  # nothing else is copied


def _let_cuda_be(engine: CudaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(selection._engines(), "cuda", selection._Candidate(lambda: None, lambda: engine, True))
    monkeypatch.setattr(selection, "_passes", selection._passes.__wrapped__)


def test_keys_compute_with_the_engine_that_the_variable_names(
    monkeypatch: pytest.MonkeyPatch, engine: CudaEngine
) -> None:
    _let_cuda_be(engine, monkeypatch)
    assert active_engine().name != "cuda"
    assert selection.why_not_used()["cuda"].startswith(
        "host is there, but is used only where engine='cuda' or VECPHE_ENGINE asks"
    )
    monkeypatch.setenv("VECPHE_ENGINE", "cuda")
    public, private = vecphe.generate_keypair(512, insecure=True)
    assert public._context.engine is engine
    x = np.linspace(-3, 3, 12)
    packed, single = public.encrypt(x, packed=True), public.encrypt(x)
    assert np.allclose(private.decrypt(packed + packed), 2 * x)
    assert np.allclose(private.decrypt(np.ones((2, 12)) @ single - 0.5), x.sum() - 0.5)
    assert np.allclose(private.decrypt(single.reshape(3, 4).sum(axis=0)), x.reshape(3, 4).sum(axis=0))
    again = vecphe.EncryptedArray.from_bytes(public, packed.to_bytes())
    assert np.allclose(private.decrypt(again), x)


def test_a_federated_run_gives_the_model_that_gmp_gives(
    monkeypatch: pytest.MonkeyPatch, engine: CudaEngine, device: HostDevice
) -> None:
    _let_cuda_be(engine, monkeypatch)
    random = np.random.default_rng(5)
    X = [random.normal(size=(6, 4)) for _ in range(3)]
    y = [x @ [1.0, -2.0, 0.5, 3.0] for x in X]
    common = {"n_clients": 3, "key_length": 512, "insecure": True, "n_iter": 2, "backend": "packed"}
    runs = {}
    for name in ("gmp", "cuda"):
        device.launches.clear()
        runs[name] = vecphe.federated.federated_learning(X, y, X[0], y[0], config={**common, "engine": name})
        used = {kernel for kernel, _ in device.launches}
        assert used >= {"multiply_plain", "multiply", "combine"} if name == "cuda" else not used
    assert np.array_equal(runs["gmp"].weights, runs["cuda"].weights)
    assert np.array_equal(runs["gmp"].history, runs["cuda"].history)
    assert engine_for((1 << 4096) - 1, "cuda") is engine
    with pytest.raises(EngineUnavailableError, match="keys of up to 4096 bits, not 4097"):
        engine_for(1 << 4096, "cuda")


def test_parties_estimators_and_keys_take_the_engine(
    monkeypatch: pytest.MonkeyPatch, engine: CudaEngine, device: HostDevice
) -> None:
    _let_cuda_be(engine, monkeypatch)
    server = vecphe.federated.Server(512, insecure=True, engine="cuda")
    assert server.pubkey.public_key.engine == "cuda"
    public, private = vecphe.generate_keypair(512, insecure=True, engine="cuda")
    for count in (0, 1):
        x = np.arange(count, dtype=float)
        for packed in (False, True):
            encrypted = public.encrypt(x, packed=packed)
            again = vecphe.EncryptedArray.from_bytes(public, (encrypted + encrypted).to_bytes())
            assert np.array_equal(private.decrypt(again), 2 * x)
    X = np.random.default_rng(6).normal(size=(9, 2))
    device.launches.clear()
    model = vecphe.federated.FederatedLinearRegression(
        n_clients=3, key_length=512, insecure=True, n_iter=1, engine="cuda"
    ).fit(X, X @ [1.0, 2.0])
    assert np.isfinite(model.coef_).all()
    assert "combine" in {kernel for kernel, _ in device.launches}


# --- CuPy, played by a fake -------------------------------------------------------------------------------------------


def test_glue_to_cupy_computes(fake: Fake) -> None:
    assert why_no_device() is None
    engine = CudaEngine()
    assert engine.describe()["target"] == "Fake GPU"
    assert engine.describe()["version"] == "CUDA 13.0"
    assert selection.self_test(engine)
    assert engine.ring(33).store(engine.ring(33).ones(300)) == [1] * 300  # more than a block


def test_h82_no_cupy_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_device.importlib.util, "find_spec", lambda name: None)
    assert 'pip install "vecphe[cuda]"' in str(dict(available_engines())["cuda"])
    monkeypatch.setenv("VECPHE_ENGINE", "cuda")
    with pytest.raises(EngineUnavailableError, match=r"engine 'cuda' does not run here: CuPy is not installed"):
        active_engine()


def test_h82_no_gpu_or_an_old_driver_is_told(fake: Fake) -> None:
    fake.at_start = CUDARuntimeError("cudaErrorNoDevice:\n no CUDA-capable device is detected")
    with pytest.raises(EngineUnavailableError, match="CuPy finds no GPU: CUDARuntimeError: cudaErrorNoDevice: no CUDA"):
        CudaEngine()
    fake.at_start, fake.devices = None, 0
    with pytest.raises(EngineUnavailableError, match="CuPy finds no GPU; see nvidia-smi"):
        CupyDevice()
    fake.devices, fake.driver = 1, 12080
    with pytest.raises(EngineUnavailableError, match=r"driver is for CUDA 12\.8, too old for CuPy for CUDA 13: update"):
        CupyDevice()
    fake.driver = 0  # none is loaded
    with pytest.raises(EngineUnavailableError, match=r"CuPy finds no GPU: .*InsufficientDriver"):
        CupyDevice()


@pytest.mark.parametrize(
    ("driver", "runtime", "told"),
    [
        (13000, 13020, None),
        (13000, 13990, None),
        (12999, 13000, "CUDA 12.99, too old for CuPy for CUDA 13"),
        (12080, 13000, "CUDA 12.8, too old for CuPy for CUDA 13"),
        (11090, 12999, "CUDA 11.9, too old for CuPy for CUDA 12"),
        (1, 13000, "CUDA 0.0, too old for CuPy for CUDA 13"),
        (-1, 13000, None),
    ],
)
def test_h82_a_driver_of_the_same_major_version_will_do(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, driver: int, runtime: int, told: str | None
) -> None:
    fake.driver, fake.runtime = driver, runtime
    monkeypatch.setattr(fake, "_count", lambda: 1)
    said = why_no_device()
    assert said is None if told is None else f"the driver is for {told}: update it" in str(said)


def test_h82_what_the_driver_says_is_one_line_that_is_not_long(fake: Fake) -> None:
    fake.at_start = CUDARuntimeError("a\n  line " + 300 * "x")
    assert why_no_device() == f"CuPy finds no GPU: CUDARuntimeError: a line {153 * 'x'}; see nvidia-smi"


def test_a_device_tells_its_version_and_what_is_free(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.driver, fake.pool = 13020, 1 << 20
    device = CupyDevice()
    assert device.describe() == {"target": "Fake GPU", "version": "CUDA 13.2"}
    assert device.free_bytes() == (1 << 30) + (1 << 20)  # of the device, and what CuPy keeps for later


def test_h82_no_compiler_is_told_before_anything_is_computed(fake: Fake) -> None:
    fake.compiler_missing = True
    assert "no compiler for the kernels" in str(why_no_device())
    with pytest.raises(EngineUnavailableError, match=r"NVRTC.*vecphe\[cuda\].*libnvrtc"):
        CupyDevice()


@pytest.mark.parametrize("error", [CompileException("line 1"), RuntimeError("libnvrtc"), PermissionError("/cache")])
def test_h82_kernels_that_cannot_be_compiled_are_told(fake: Fake, error: Exception) -> None:
    engine = CudaEngine()
    fake.at_compilation = error
    with pytest.raises(EngineUnavailableError, match=f"cannot compile the kernels .{type(error).__name__}.*CUPY_CACHE"):
        engine.ring(33)
    fake.at_compilation = None
    assert engine.ring(33).store(engine.ring(33).ones(2)) == [1, 1]  # nothing was lost


OUT_OF_MEMORY = [
    OutOfMemoryError("Out of memory allocating 4,096 bytes"),
    MemoryError("std::bad_alloc"),  # of an allocator that the user has set
    CUDARuntimeError("cudaErrorMemoryAllocation", 2),
    CUDADriverError("CUDA_ERROR_OUT_OF_MEMORY", 2),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("where", ["at_allocation", "at_launch", "at_compilation"])
def test_h82_out_of_gpu_memory_is_told_and_passes(fake: Fake, where: str, error: Exception) -> None:
    engine = CudaEngine()
    ring = engine.ring(33)
    setattr(fake, where, error)
    with pytest.raises(EngineUnavailableError, match="out of GPU memory: free arrays"):
        engine.ring((1 << 1000) - 1).ones(5)
    setattr(fake, where, None)
    assert ring.store(ring.ones(5)) == [1] * 5


def test_h82_a_gpu_that_another_process_has_for_itself_is_told(fake: Fake) -> None:
    fake.at_opening = CUDARuntimeError("cudaErrorDevicesUnavailable")
    with pytest.raises(EngineUnavailableError, match=r"cannot be opened .*DevicesUnavailable.*another process"):
        CudaEngine()
    fake.at_opening = None
    assert CudaEngine().describe()["target"] == "Fake GPU"


@pytest.mark.parametrize("error", [CUDADriverError("CUDA_ERROR_LAUNCH_FAILED"), CUDARuntimeError("busy")])
def test_h82_a_device_that_fails_computes_nothing_more(fake: Fake, error: Exception) -> None:
    ring = CudaEngine().ring(33)
    batch = ring.ones(2)
    fake.at_launch = error
    with pytest.raises(EngineUnavailableError, match=f"the GPU failed .{type(error).__name__}"):
        ring.multiply(batch, batch)
    fake.at_launch = None
    with pytest.raises(EngineUnavailableError, match="start this program again"):
        ring.multiply(batch, batch)
    with pytest.raises(EngineUnavailableError, match="start this program again"):
        ring.store(batch)


def test_h82_buffers_of_a_gpu_are_overwritten_when_they_go(fake: Fake) -> None:
    batch = CudaEngine().ring(33).ones(2)
    memory = batch.buffer.memory
    assert memory.any()
    del batch
    assert not memory.any()


def test_h82_a_forked_child_is_told_to_spawn(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = CudaEngine().ring(33)
    batch = ring.ones(2)
    memory = batch.buffer.memory
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(EngineUnavailableError, match="forked, and a child cannot use it: start workers by spawn"):
        ring.store(batch)
    with pytest.raises(EngineUnavailableError):
        ring.ones(1)
    del batch
    assert memory.any()  # the child leaves the parent's device alone
    monkeypatch.undo()


def test_h82_a_forked_child_that_asks_anew_is_told_to_spawn(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_device, "_asked_in", set())
    assert why_no_device() is None
    monkeypatch.setattr(os, "getpid", lambda: -1)
    fake.at_start = CUDARuntimeError("cudaErrorInitializationError")
    with pytest.raises(EngineUnavailableError, match="forked, and a child cannot use it: start workers by spawn"):
        selection.engine_named("cuda")


# --- a real GPU, where there is one -----------------------------------------------------------------------------------

ON_DEVICE = """
import os, vecphe
from vecphe.arithmetic import engine_named
from vecphe.errors import EngineUnavailableError
ring = engine_named("cuda").ring(33)
batch = ring.ones(3)
def fails(function, text):
    try:
        function()
    except EngineUnavailableError as error:
        assert text in str(error), error
    else:
        raise AssertionError("no error")
"""


MEMORY = """
fails(lambda: ring.kernels.device.allocate(1 << 40), "out of GPU memory")
"""

FORK = """
child = os.fork()
if not child:
    fails(lambda: ring.store(batch), "forked")
    fails(lambda: engine_named("cuda"), "forked")
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""

PROCESSES = """
import subprocess, sys
other = "from vecphe.arithmetic import engine_named; r = engine_named('cuda').ring(35); print(r.store(r.ones(2)))"
both = [subprocess.Popen([sys.executable, "-c", other], stdout=subprocess.PIPE, text=True) for _ in range(2)]
assert [one.communicate()[0] for one in both] == ["[1, 1]\\n"] * 2
"""

STILL_RIGHT = """
assert ring.store(batch) == [1] * 3
"""


@pytest.mark.parametrize("script", [MEMORY, FORK, PROCESSES], ids=["memory", "fork", "processes"])
def test_h82_faults_on_the_device(script: str) -> None:
    if why_not := why_no_device():
        pytest.skip(f"{why_not}: FAULTS OF A REAL GPU ARE NOT UNDER TEST")
    done = subprocess.run([sys.executable, "-c", ON_DEVICE + script + STILL_RIGHT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_kernels_read_tables_of_secret_powers_whole() -> None:
    source = cuda_device.SOURCE.read_text(encoding="utf-8")
    power = source[source.index("KERNEL(power,") : source.index("// --- fixed bases")]
    assert "ENTRIES; e++" in power
    assert power.count("digit") == power.count("digits") + 2  # read once; compared with every entry's number
    assert cuda.ENTRIES == 1 << cuda.WINDOW
