"""Guards that nothing inside the package runs into, asked directly: each says what was wrong."""

from __future__ import annotations

import errno
import os
import pickle
import secrets
import stat
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gmpy2
import numpy as np
import pytest

import vecphe.phe
from vecphe import (
    FixedPoint,
    InvalidKeyError,
    InvalidPlaintextError,
    PrivateKey,
    PublicKey,
    SerializationError,
    interop,
)
from vecphe.bench import ratio_rows
from vecphe.bench.estimate import Plan, rough_seconds
from vecphe.bench.findings import Finding, Report
from vecphe.bench.matrix import Matrix
from vecphe.bench.sides import Side
from vecphe.cli import streams
from vecphe.cli.bench_run import make_matrix
from vecphe.errors import PlaintextOverflowError, ProtocolError
from vecphe.federated.protocol import ProtocolConfig
from vecphe.federated.rounds import RingRound
from vecphe.keys import public_key as public_key_module
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.numbers.primes import has_small_factor
from vecphe.phe import command_line, key_generation
from vecphe.phe.pool import RandomizerPool
from vecphe.plaintext.encoding import UNPACKED, as_plain_array
from vecphe.plaintext.format import Format
from vecphe.plaintext.packing import SlotLayout
from vecphe.randomness import randomizers
from vecphe.randomness.randomizers import RandomizerSource
from vecphe.serialization import fields, frames, text
from vecphe.system import files

Keypair = tuple[PublicKey, PrivateKey]


# Arrays


def test_the_memory_of_an_array_is_that_of_its_batch(public_key: PublicKey) -> None:
    array = public_key.encrypt([1, 2, 3])
    assert array.nbytes == public_key._context.ring.resident_bytes(array.residues) > 0
    assert array.nbytes_canonical == 3 * 128


def test_what_is_no_number_stays_with_the_other_operand(public_key: PublicKey) -> None:
    class Left:
        def __matmul__(self, other: Any) -> str:
            return "left"

    class Right:
        def __rmatmul__(self, other: Any) -> str:
            return "right"

    array: Any = public_key.encrypt([1, 2, 3])
    assert Left() @ array == "left"
    assert array @ Right() == "right"
    for wrong in (lambda: object() @ array, lambda: array @ object()):
        with pytest.raises(TypeError, match="unsupported operand type"):
            wrong()


@pytest.mark.parametrize("axis", [(0, 0), (0, -2), (1, -1)])
def test_an_axis_is_named_once(public_key: PublicKey, axis: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"duplicate value in axis \(") as told:
        public_key.encrypt(np.zeros((2, 3))).sum(axis=axis)
    assert str(told.value) == f"duplicate value in axis {axis}"


def test_an_error_of_somebody_elses_array_is_not_ours() -> None:
    class Odd:
        def __array__(self, *_: Any, **__: Any) -> Any:
            raise ValueError("odd all the way")

    with pytest.raises(ValueError, match="odd all the way") as told:
        as_plain_array(Odd(), "x")
    assert type(told.value) is ValueError
    with pytest.raises(InvalidPlaintextError):
        as_plain_array([[1], [2, 3]], "x")


# Keys


def test_numbers_without_a_number_yet_have_a_repr() -> None:
    assert repr(object.__new__(PublicNumbers)) == "PublicNumbers(no number yet)"
    assert repr(PublicNumbers(15)) == f"PublicNumbers(4 bits, fingerprint={PublicNumbers(15).fingerprint})"


def test_h57_a_source_of_randomizers_is_not_pickled(public_key: PublicKey) -> None:
    source = public_key._source
    assert isinstance(source, RandomizerSource)
    with pytest.raises(TypeError, match="stays in its process; pickle the public key, which makes another"):
        pickle.dumps(source)


@pytest.mark.parametrize("kid", [5, b"name", ["name"]])
def test_the_name_of_a_key_is_text(keypair: Keypair, kid: Any) -> None:
    for call in (
        lambda: keypair[0].to_jwk(kid),
        lambda: keypair[1].to_jwk(kid),
        lambda: keypair[1].to_jwk("a", public_kid=kid),
    ):
        with pytest.raises(TypeError, match=f"kid must be a string, not {type(kid).__name__}"):
            call()


@pytest.mark.parametrize(("factor", "is_small"), [(2, True), (3, True), (2**20 - 3, True), (2**20 + 7, False)])
def test_h05_factors_below_a_million_are_found(factor: int, is_small: bool) -> None:
    """The last prime below 2^20, and the first above."""
    assert gmpy2.next_prime(2**20 - 4) == 2**20 - 3
    assert gmpy2.next_prime(2**20 - 3) == 2**20 + 7
    assert has_small_factor(factor * (2**521 - 1)) == is_small


@pytest.mark.parametrize(
    ("shape", "strides", "taken"),
    [
        ((2, 40_000), (8, 8), True),  # 80,000 places of 40,001 numbers
        ((3, 40_000), (8, 8), False),
        ((65_536,), (0,), True),
        ((65_537,), (0,), False),
        ((2, 65_537), (0, 8), True),
        ((3, 65_537), (0, 8), False),
        ((65_537,), (-8,), True),
        ((2, 40_000), (-8, -8), True),
    ],
)
def test_h61_views_that_share_their_numbers_are_no_way_to_many(
    shape: tuple[int, ...], strides: tuple[int, ...], taken: bool
) -> None:
    memory = np.arange(70_000.0)
    start = memory[-1:] if min(strides) < 0 else memory
    view = np.lib.stride_tricks.as_strided(start, shape, strides)
    if taken:
        assert np.shape(interop._as_list(view)) == shape
    else:
        with pytest.raises(ValueError, match="numbers share their lists"):
            interop._as_list(view)


@pytest.mark.parametrize("packed", [False, True])
def test_h61_the_memory_that_encryption_takes_is_told_before(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    asked = []
    monkeypatch.setattr(public_key_module, "check_memory", lambda *given: asked.append(given[:2]))
    encoding = FixedPoint(20, max_abs=8, max_terms=4) if packed else UNPACKED  # 26 bits a value, or 177
    array = public_key.encrypt(np.zeros(1000), packed=packed, encoding=encoding)
    residues, words = array.n_ciphertexts * 128, 1000 * 8 * (1 if packed else 3)
    assert asked == [(residues * 5 // 2 + words * (2 if packed else 1), "encrypting 1000 values")]


@pytest.mark.parametrize("length", range(8, 16))
def test_short_keys_are_drawn_from_all_that_there_are(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Primes of half the length each, their product of the whole, and 1 + n of order n."""
    half = (length + 1) // 2
    primes = [x for x in range(2 ** (half - 1), 2**half) if gmpy2.is_prime(x)]
    wanted = {
        (p, q)
        for p in primes
        for q in primes
        if p < q and (p * q).bit_length() == length and gmpy2.gcd(p * q, (p - 1) * (q - 1)) == 1
    }
    monkeypatch.setattr(secrets, "choice", lambda pairs: pairs)
    assert set(key_generation._listed_pair(length)) == wanted != set()


@pytest.mark.parametrize(
    ("length", "maker"),
    [
        (15, "_listed"),
        (16, "_searched"),
        (30, "_searched"),
        (31, "_searched"),
        (32, "random_prime"),
        (33, "_searched"),
        (34, "random_prime"),
        (512, "random_prime"),
        (513, "_searched"),
    ],
)
def test_who_makes_the_primes_of_a_key(monkeypatch: pytest.MonkeyPatch, length: int, maker: str) -> None:
    for name in ("_listed", "_searched", "random_prime"):
        monkeypatch.setattr(key_generation, f"{name}_pair", lambda n, name=name: (name, n))
    assert key_generation.prime_pair(length) == (maker, length)


@pytest.mark.parametrize("length", [7, 16385, 0, -8])
def test_lengths_of_keys_end_somewhere(length: int) -> None:
    with pytest.raises(InvalidKeyError, match=f"^n_length must be from 8 to 16384 bits, not {length}$"):
        key_generation.prime_pair(length)


def test_without_options_those_by_default_count() -> None:
    assert ProtocolConfig.from_mapping(None) == ProtocolConfig.from_mapping({}) == ProtocolConfig()
    assert ProtocolConfig.from_mapping({"n_iter": 3, "eta": 0.5}) == ProtocolConfig(n_iter=3, eta=0.5)
    with pytest.raises(ValueError, match="config has no key 'n'; the keys are n_clients, key_length, n_iter, eta, "):
        ProtocolConfig.from_mapping({"n_iter": 3, "n": 1})


# Files and frames


@pytest.mark.parametrize("bits", [64, 72, 71, 79])
def test_an_integer_of_a_file_has_as_many_bytes_as_it_may(bits: int) -> None:
    for length in (1, bits // 8, bits // 8 + 1):
        data = frames._LENGTH.pack(length) + b"\xff" * length
        reader = frames._Reader(memoryview(data))
        if length <= bits // 8:
            assert reader.integer("n", bits) == 2 ** (8 * length) - 1
        else:
            with pytest.raises(SerializationError, match=f"^n is longer than {bits // 8} bytes$"):
                reader.integer("n", bits)


def test_h59_a_probe_of_a_directory_is_for_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *given: asked.append(given) or real(*given))
    files.check_directory(tmp_path)
    ((path, flags, mode),) = asked
    assert (Path(path).parent, mode) == (tmp_path, 0o600)
    assert flags & (os.O_CREAT | os.O_EXCL | os.O_WRONLY) == os.O_CREAT | os.O_EXCL | os.O_WRONLY
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="no file can be created here") as told:
        files.check_directory(tmp_path / "missing")
    assert (told.value.errno, told.value.filename) == (errno.ENOENT, str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"", "x: not an encrypted file; it is empty"),
        (b"1,2", "x: not an encrypted file"),
        (frames.MAGIC[:-1] + b"?", "x: not an encrypted file"),
        (b" \n[", "x: not an encrypted file"),
        (frames.MAGIC, ""),
        (frames.MAGIC[:1], ""),
        (b" \n{", ""),
        (b" \n", ""),
    ],
)
def test_what_is_no_file_of_ours_is_known_by_its_first_bytes(start: bytes, message: str) -> None:
    if message:
        with pytest.raises(ValueError, match=f"^{message}$"):
            streams.check_frame_start(start, "x")
    else:
        streams.check_frame_start(start, "x")


def test_one_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    streams.check_streams(["-", "a"])
    with pytest.raises(ValueError, match="only one input can be -, the standard input"):
        streams.check_streams(["-", "a", "-"])
    monkeypatch.setattr(sys, "stdin", None)
    streams.check_streams(["a"])
    with pytest.raises(ValueError, match="the standard input is closed"):
        streams.check_streams(["-"])


def test_slots_of_another_capacity_are_not_written(public_key: PublicKey) -> None:
    encoding = FixedPoint()
    right = SlotLayout.for_key(encoding, 512)
    numbers = public_key._context.numbers
    for more in (-1, 0, 1):
        layout = SlotLayout(right.width, right.slots, right.capacity + more)
        format = Format(encoding, 40, encoding.unit, layout, integer=False)
        if more:
            with pytest.raises(SerializationError, match="another capacity than max_terms values of the encoding"):
                fields.array_fields(numbers, (3,), format)
        else:
            assert fields.array_fields(numbers, (3,), format).slots == right.slots


@pytest.mark.parametrize(("value", "fits"), [(0, True), (65535, True), (65536, False), (-1, False)])
def test_a_number_that_does_not_fit_its_field_is_told(value: int, fits: bool) -> None:
    if fits:
        assert frames._pack(struct.Struct("<H"), value) == value.to_bytes(2, "little")
    else:
        with pytest.raises(SerializationError, match="a number does not fit its field: "):
            frames._pack(struct.Struct("<H"), value)


@pytest.mark.parametrize(("salt", "nonce"), [(15, 12), (16, 11), (0, 12), (16, 0), (17, 12), (16, 13)])
def test_salt_and_nonce_have_one_length(private_key: PrivateKey, salt: int, nonce: int) -> None:
    import json

    sealed = json.loads(private_key.to_json(passphrase="word"))
    assert PrivateKey.from_json(json.dumps(sealed), passphrase="word", insecure=True) == private_key
    (place,) = [part for part in (sealed, *filter(lambda v: isinstance(v, dict), sealed.values())) if "scrypt" in part]
    place["scrypt"]["salt"] = text.bytes_to_base64url(bytes(salt))
    place["aes_gcm"]["nonce"] = text.bytes_to_base64url(bytes(nonce))
    told = "is longer than 1[26] bytes" if salt + nonce > 28 else "the salt must have 16 bytes and the nonce 12"
    with pytest.raises(SerializationError, match=told):
        PrivateKey.from_json(json.dumps(sealed), passphrase="word", insecure=True)


@pytest.mark.parametrize(
    ("number", "passes"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False), (errno.ENOSPC, False)]
)
def test_h58_a_directory_that_cannot_be_synced_is_no_error_and_a_broken_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, passes: bool
) -> None:
    closed: list[int] = []
    close = os.close

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), close(descriptor))[1])
    if passes:
        files._sync_directory(str(tmp_path))
    else:
        with pytest.raises(OSError, match="no"):
            files._sync_directory(str(tmp_path))
    assert len(closed) == 1
    monkeypatch.delattr(os, "O_DIRECTORY")
    files._sync_directory(str(tmp_path))
    assert len(closed) == 1


def test_a_system_without_modes_tells_nobody_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    path.touch()
    for mode, is_open in ((0o600, False), (0o604, True), (0o620, True), (0o700, False), (0o601, True)):
        path.chmod(mode)
        assert files.is_open_to_others(path) == is_open, oct(mode)
    path.chmod(0o644)
    monkeypatch.setattr(files.os, "name", "nt")
    assert files.is_open_to_others(path) is False
    monkeypatch.undo()
    assert files.is_open_to_others(tmp_path / "missing") is False
    assert files.is_open_to_others("/dev/null") is False


@pytest.mark.parametrize(
    ("bound", "limit", "result"),
    [
        (fields.Number(5, 0), 5, 5),
        (fields.Number(5, 1), 10, 10),
        (fields.Number(5, 1), 9, PlaintextOverflowError),
        (fields.Number(5, -1), 9, SerializationError),
        (fields.Number(2**128 - 1, 0), 2**128, 2**128 - 1),
        (fields.Number(2**128 + 1, 0), 2**200, SerializationError),
        (fields.Number(1, 2**15 - 1), 2**200, PlaintextOverflowError),  # the largest exponent that either form holds
        (fields.Number(1, 201), 2**200, PlaintextOverflowError),
        (fields.Number(1, 200), 2**200, 2**200),
        (fields.Number.at_least(2**130 + 1), 2**130 + 1, 2**130 + 1),  # rounded up: the limit
    ],
)
def test_a_bound_is_an_integer_within_the_limit(bound: Any, limit: int, result: Any) -> None:
    if isinstance(result, int):
        assert fields._bound(bound, limit) == result
    else:
        with pytest.raises(result):
            fields._bound(bound, limit)


@pytest.mark.parametrize(
    ("terms", "packed", "error"),
    [
        (0, True, None),
        (7, True, None),
        (8, True, PlaintextOverflowError),
        (8, False, None),
        (2**64 - 1, False, None),
        (2**64, False, SerializationError),
        (-1, False, SerializationError),
    ],
)
def test_terms_are_counted_in_64_bits(terms: int, packed: bool, error: type[Exception] | None) -> None:
    claimed: Any = SimpleNamespace(terms=terms, packed=packed, max_terms=7)
    if error is None:
        fields._check_terms(claimed)
    else:
        with pytest.raises(error):
            fields._check_terms(claimed)


@pytest.mark.parametrize(
    ("scale", "packed", "message"),
    [
        (0, False, ""),
        (2**20, False, ""),
        (40, True, ""),
        (44, True, ""),
        (36, True, "a packed array must be at the scale of its encoding, or of floats at a finer one"),
        (44, False, ""),
        (42, False, "the scale must be a multiple of 4 fraction bits from 0 to 1048576, not 42"),
        (-4, False, "the scale must be a multiple of 4 fraction bits from 0 to 1048576, not -4"),
        (2**20 + 4, False, "the scale must be a multiple of 4 fraction bits from 0 to 1048576, not 1048580"),
    ],
)
def test_scales_go_in_steps_up_to_a_limit(scale: int, packed: bool, message: str) -> None:
    claimed: Any = SimpleNamespace(scale=scale, packed=packed, fraction_bits=40, integer=False, divisor=1)
    if message:
        with pytest.raises(SerializationError, match=f"^{message}$"):
            fields._check_scale(claimed)
    else:
        fields._check_scale(claimed)


def test_h37_json_of_ours_has_few_parts(public_key: PublicKey) -> None:
    good = public_key.to_json()
    there = good.count("[") + good.count("{") + good.count(":")
    for count, is_few in ((64, True), (65, False)):
        padded = good.replace('"fingerprint"', '"' + ":" * (count - there - 1) + '": 1, "fingerprint"')
        with pytest.raises(SerializationError) as told:
            PublicKey.from_json(padded, insecure=True)
        assert ("few lists, objects and fields" in str(told.value)) != is_few


# The facade


def test_batches_of_randomizers_grow_up_to_a_limit(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    source = RandomizerSource(public_key._context)
    monkeypatch.setattr(source, "draw", lambda count: drawn.append(count) or public_key._context.ring.ones(count))
    pool = RandomizerPool(source)
    for _ in range(300):
        pool.take()
    assert drawn == [1, 1, 8, 10, 20, 40, 64, 64, 64, 64]


def test_a_table_is_made_anew_for_twice_as_many(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    source = RandomizerSource(public_key._context)
    monkeypatch.setattr(randomizers, "choose_window", lambda engine, bits, count, n: asked.append(count) or 2)
    for count in (100, 199, 200, 399, 150, 400):
        source._table_for(count)
    assert asked == [100, 200, 400]


def test_h42_numbers_of_phe_are_not_multiplied() -> None:
    public, _ = vecphe.phe.generate_paillier_keypair(n_length=128)
    one, two = public.encrypt(1), public.encrypt(2)
    with pytest.raises(NotImplementedError, match="cannot be computed: Paillier only adds"):
        one * two


@pytest.mark.parametrize(
    ("plaintext", "error", "message"),
    [
        (1.0, TypeError, "plaintext must be an int, not float"),
        (-1, InvalidPlaintextError, r"plaintext must be in \[0, n\)"),
        ("n", InvalidPlaintextError, r"plaintext must be in \[0, n\)"),
    ],
)
def test_a_raw_product_takes_integers_below_n(plaintext: Any, error: type[Exception], message: str) -> None:
    public, private = vecphe.phe.generate_paillier_keypair(n_length=128)
    number = public.encrypt(1)
    with pytest.raises(error, match=message):
        number._raw_mul(public.n if plaintext == "n" else plaintext)
    assert private.raw_decrypt(number._raw_mul(public.n - 1)) == (-number_of(private, number)) % public.n
    assert private.raw_decrypt(number._raw_mul(0)) == 0


def number_of(private: Any, number: Any) -> int:
    return int(private.raw_decrypt(number.ciphertext(be_secure=False)))


@pytest.mark.parametrize("bits", [5, 8, 9, 16, 33])
def test_blum_primes_have_their_length_whatever_the_bits(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    """Also where the random bits are all zeros, or few."""
    given = iter(range(10_000))
    asked = []
    monkeypatch.setattr(secrets, "randbits", lambda count: asked.append(count) or next(given) * 4)
    found = {key_generation._blum_prime(bits) for _ in range(2)}
    for prime in found:
        assert prime.bit_length() == bits
        assert prime % 4 == 3
        assert gmpy2.is_prime(prime)
    assert set(asked) == {bits}


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_private_key_on_a_terminal_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
    command_line._write_private("-", "the key\n")
    out, err = capsys.readouterr()
    assert out == "the key\n"
    assert err == ("warning: this is a private key on a terminal\n" if is_terminal else "")


# What is measured


def test_the_reference_of_products_is_32_products() -> None:
    class Counting:
        made = 0

        def __init__(self, of: str = "factor") -> None:
            self.of = of

        def __mul__(self, other: Counting) -> Counting:
            assert (self.of, other.of) == ("factor", "factor")
            return Counting("product")

        def __mod__(self, modulus: Any) -> Counting:
            assert (self.of, modulus) == ("product", 15**2)
            Counting.made += 1
            return Counting()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ratio_rows.gmpy2, "powmod", lambda base, exponent, modulus: Counting())
        material: Any = type("Material", (), {"n": 15})
        work = ratio_rows._gmp_products(material)
    work()
    assert Counting.made == 32


def test_the_reference_of_powers_is_one_of_64_bits() -> None:
    material: Any = type("Material", (), {"n": 15})
    work = ratio_rows._gmp_power(material)
    assert work() == pow(pow(3, 10_000, 225), 2**64 - 59, 225)
    assert work.args[1:] == (2**64 - 59, 225)  # type: ignore[attr-defined]


def test_rough_seconds_are_those_of_the_tables_of_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = []
    monkeypatch.setattr(Side, "prepare", lambda side, *counts: prepared.append((side.name, *counts)))
    rough_seconds("vectorized", Plan(3, 4, 256, packed=False), 10)
    assert prepared == [("vectorized", 30, 4)]


def test_a_report_as_text_leaves_out_what_held() -> None:
    report = Report([Finding("a", "held", "x"), Finding("b", "failed", "y"), Finding("c", "open", "z")], ["n"], ["w"])
    lines = [f"{finding}" for finding in report.findings]
    assert list(report.lines()) == ["note: n", lines[0], lines[2], lines[1], "WARNING: w"]
    assert str(report).splitlines() == ["note: n", lines[2], lines[1], "WARNING: w", report.summary]
    assert report.summary == "1 held, 1 FAILED (b), 1 NOT DECIDED (c)"


@pytest.mark.parametrize("quick", [True, False])
def test_a_quick_matrix_is_made_only_where_it_is_asked_for(quick: bool) -> None:
    made = make_matrix(quick, None, None, None, None, None, None)
    assert made == (Matrix.quick() if quick else Matrix())


def test_a_ring_needs_clients() -> None:
    with pytest.raises(ProtocolError, match="a ring needs clients"):
        RingRound("0" * 32, 1, [])
