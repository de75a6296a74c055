"""Arrays to and from phe's numbers: identical values both ways, whatever the exponents; hostile numbers are refused."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import phe
import pytest

import vecphe
import vecphe.phe
from vecphe import (
    CorruptedAggregateError,
    InvalidCiphertextError,
    KeyMismatchError,
    PackedOperationError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
    SerializationError,
    from_phe,
    interop,
    to_phe,
)

X = np.array([0.0, 1.0, -1.0, math.pi, -1e-9, 123456.789, 2.0**-52, -(2.0**63), 0.1])
GOLDEN = json.loads((Path(__file__).parent / "data" / "phe_golden.json").read_text(encoding="utf-8"))
MODULES = {"phe": phe, "vecphe.phe": vecphe.phe}

Keys = tuple[PublicKey, PrivateKey]


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> Any:
    return MODULES[request.param]


@pytest.fixture(scope="module", params=[512, 1024, 2048])
def keys(request: pytest.FixtureRequest) -> Keys:
    return vecphe.generate_keypair(request.param, insecure=True)


@pytest.fixture
def phe_keys(keypair: Keys, module: Any) -> tuple[Any, Any]:
    private = keypair[1].to_phe(module)
    return private.public_key, private


def test_ours_decrypt_there(keys: Keys, module: Any) -> None:
    private = keys[1].to_phe(module)
    numbers = to_phe(keys[0].encrypt(X), module)
    assert all(isinstance(number, module.EncryptedNumber) for number in numbers)
    assert [private.decrypt(number) for number in numbers] == X.tolist()
    integers = np.array([[0, -1, 2**62], [5, 6, -(2**63)]])
    rows = to_phe(keys[0].encrypt(integers), module)
    decrypted = [[private.decrypt(number) for number in row] for row in rows]
    assert decrypted == integers.tolist()
    assert all(isinstance(value, int) for row in decrypted for value in row)


def test_theirs_decrypt_here(keys: Keys, module: Any) -> None:
    public = keys[0].to_phe(module)
    numbers = [public.encrypt(value) for value in [*X.tolist(), 7, -(2**70)]]
    assert len({number.exponent for number in numbers}) > 5
    array = from_phe(keys[0], numbers)
    assert array.shape == (len(numbers),)
    result = keys[1].decrypt(array)
    assert result.dtype == np.float64
    assert result.tolist() == [*X.tolist(), 7.0, -(2.0**70)]
    integers = from_phe(keys[0], [public.encrypt(value) for value in (3, -4, 2**50)])
    assert keys[1].decrypt(integers).dtype == np.int64
    assert keys[1].decrypt(integers).tolist() == [3, -4, 2**50]


def test_results_of_either_side_are_the_same(keypair: Keys, phe_keys: tuple[Any, Any], module: Any) -> None:
    a, b = X[1:4], np.array([2.5, -0.75, 1e-3])
    there = [phe_keys[0].encrypt(value) for value in a.tolist()]
    ours = from_phe(keypair[0], there, max_abs=100.0)
    total = to_phe(ours * 3 + keypair[0].encrypt(b) - 1.5, module)
    expected = [phe_keys[1].decrypt(x * 3 + y - 1.5) for x, y in zip(there, b.tolist(), strict=True)]
    assert [phe_keys[1].decrypt(number) for number in total] == expected


def test_h40_golden_numbers_of_phe(module: Any) -> None:
    p, q = int(GOLDEN["p"]), int(GOLDEN["q"])
    public_key = PublicKey(p * q, insecure=True)
    private_key = PrivateKey(public_key, p, q)
    theirs = public_key.to_phe(module)
    exponents = {item["e"] for item in GOLDEN["numbers"]}
    assert min(exponents) < -30
    assert max(exponents) > 10
    numbers = [module.EncryptedNumber(theirs, int(item["v"]), item["e"]) for item in GOLDEN["numbers"]]
    expected = [
        float.fromhex(item["plain"]) if "x" in item["plain"] else int(item["plain"]) for item in GOLDEN["numbers"]
    ]
    assert len(expected) >= 25
    reader = private_key.to_phe(module)
    array = from_phe(public_key, numbers)
    assert private_key.decrypt(array).tolist() == [float(value) for value in expected]
    for number, value in zip(numbers, expected, strict=True):
        alone = from_phe(public_key, number)
        assert alone.shape == ()
        decrypted = private_key.decrypt(alone).item()
        assert (decrypted, type(decrypted)) == (value, type(value))
        back = reader.decrypt(to_phe(alone, module))
        assert (back, type(back)) == (value, type(value))
    assert [reader.decrypt(number) for number in to_phe(array, module)] == [float(value) for value in expected]


SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (2, 3), (2, 1, 3), (0, 3), (3, 0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_nesting_is_the_shape(keypair: Keys, module: Any, shape: tuple[int, ...]) -> None:
    values = np.arange(math.prod(shape), dtype=float).reshape(shape) - 1.25
    numbers = to_phe(keypair[0].encrypt(values), module)
    told = np.array(values.tolist()).shape  # as far as lists tell it: those of shape (0, 3) are []
    assert np.array(numbers, dtype=object).shape == told
    back = from_phe(keypair[0], numbers)
    assert back.shape == told
    assert keypair[1].decrypt(back).tolist() == values.tolist()


def test_tuples_and_object_arrays(keypair: Keys, phe_keys: tuple[Any, Any]) -> None:
    numbers = [phe_keys[0].encrypt(value) for value in (1.5, 2, -3.25)]
    grid = np.empty((1, 3), dtype=object)
    grid[0] = numbers
    for form in (tuple(numbers), np.array(numbers, dtype=object)):
        assert keypair[1].decrypt(from_phe(keypair[0], form)).tolist() == [1.5, 2.0, -3.25]
    assert keypair[1].decrypt(from_phe(keypair[0], grid)).tolist() == [[1.5, 2.0, -3.25]]


def test_reading_does_not_change_their_numbers(keypair: Keys, phe_keys: tuple[Any, Any]) -> None:
    number = phe_keys[0].encrypt(1.5) + 2
    before = number.ciphertext(False)
    from_phe(keypair[0], [number, phe_keys[0].encrypt(1e-9)])
    assert number.ciphertext(False) == before


@pytest.mark.parametrize("numbers", ["ragged", "uneven depth", "number beside list", "endless"])
def test_uneven_nesting_is_refused(keypair: Keys, phe_keys: tuple[Any, Any], numbers: str) -> None:
    c = phe_keys[0].encrypt(1)
    endless: list[Any] = []
    endless.append(endless)
    forms = {"ragged": [[c], [c, c]], "uneven depth": [[c], [[c]]], "number beside list": [c, [c]], "endless": endless}
    with pytest.raises(ValueError, match="nested evenly"):
        from_phe(keypair[0], forms[numbers])


def number_of(key: PublicKey, ciphertext: Any = None, exponent: Any = 0) -> Any:
    """What a hostile peer may hand in: phe's shape, any content."""
    value = key.encrypt(1).ciphertexts()[0] if ciphertext is None else ciphertext
    return SimpleNamespace(public_key=SimpleNamespace(n=key.n), exponent=exponent, ciphertext=lambda _=True: value)


INVALID: dict[str, Callable[[PrivateKey], Any]] = {
    "h31 zero": lambda key: 0,
    "h31 n": lambda key: key.public_key.n,
    "h31 p": lambda key: key.p,
    "h32 n^2": lambda key: key.public_key.n**2,
    "h32 n^2 + 1": lambda key: key.public_key.n**2 + 1,
    "h32 -1": lambda key: -1,
    "h33 float": lambda key: 1.5,
    "h33 str": lambda key: "5",
    "h33 bool": lambda key: True,
}


@pytest.mark.parametrize("fault", INVALID)
def test_h31_h32_h33_invalid_ciphertexts(keypair: Keys, fault: str) -> None:
    good = [number_of(keypair[0], exponent=e) for e in (0, -3, 2)]
    assert keypair[1].decrypt(from_phe(keypair[0], good)).tolist() == [1.0, 16.0**-3, 256.0]
    with pytest.raises(InvalidCiphertextError) as caught:
        from_phe(keypair[0], [*good, number_of(keypair[0], INVALID[fault](keypair[1]), -5)])
    assert str(caught.value) == str(InvalidCiphertextError())


def test_h34_numbers_of_another_key(keypair: Keys, other_keypair: Keys, module: Any) -> None:
    theirs = other_keypair[0].to_phe(module).encrypt(1)
    with pytest.raises(KeyMismatchError, match="number 1"):
        from_phe(keypair[0], [number_of(keypair[0]), theirs])


@pytest.fixture
def unread(keypair: Keys) -> Callable[[Any], Any]:
    """A number of that exponent whose ciphertext must not be asked for."""

    def make(exponent: Any) -> Any:
        def ciphertext(_: bool = True) -> int:
            raise RuntimeError("the exponent had to be refused before")

        return SimpleNamespace(public_key=SimpleNamespace(n=keypair[0].n), exponent=exponent, ciphertext=ciphertext)

    return make


@pytest.mark.parametrize("exponent", [10**9, -(10**9), 10**4000, 129, -396, -4097])
def test_exponents_out_of_range(keypair: Keys, unread: Callable[[Any], Any], exponent: int) -> None:
    with pytest.raises(PlaintextOverflowError, match="exponent of number 0"):
        from_phe(keypair[0], [unread(exponent)])


@pytest.mark.parametrize("exponent", [True, 1.0, "1", None, math.nan, [1]])
def test_exponents_that_are_no_ints(keypair: Keys, unread: Callable[[Any], Any], exponent: Any) -> None:
    with pytest.raises(SerializationError, match="exponent of number 0 must be an int"):
        from_phe(keypair[0], [unread(exponent)])


def test_exponents_too_far_apart(keypair: Keys, unread: Callable[[Any], Any]) -> None:
    with pytest.raises(PlaintextOverflowError, match="no common scale"):
        from_phe(keypair[0], [unread(0), unread(-128)])
    with pytest.raises(PlaintextOverflowError, match="no common scale"):
        from_phe(keypair[0], [unread(128)])
    wide = from_phe(keypair[0], [number_of(keypair[0], exponent=e) for e in (0, -100)])
    assert keypair[1].decrypt(wide).tolist() == [1.0, 16.0**-100]


@pytest.mark.parametrize("exponent", [-395, -268, -128, -127, -1, 0, 1, 97, 113])
def test_extreme_exponents(keypair: Keys, exponent: int) -> None:
    array = from_phe(keypair[0], number_of(keypair[0], exponent=exponent))
    limit = keypair[0].n // 3 - 1
    guard = 0 if exponent <= 0 else min(64, limit.bit_length() - 54 - 4 * exponent)
    assert array.bound == limit >> guard
    assert keypair[1].decrypt(array) == (16**exponent if exponent >= 0 else 16.0**exponent)


@pytest.mark.parametrize("exponents", [(0, -115), (115,), (40, -75), (126,)])
def test_exponents_too_far_apart_for_floats_need_max_abs(
    keypair: Keys, unread: Callable[[Any], Any], exponents: tuple[int, ...]
) -> None:
    """512 bits: 16^115 * 2^53 is beyond n/3."""
    with pytest.raises(PlaintextOverflowError, match="pass max_abs, use a longer key"):
        from_phe(keypair[0], [unread(exponent) for exponent in exponents])
    numbers = [number_of(keypair[0], exponent=exponent) for exponent in exponents]
    array = from_phe(keypair[0], numbers, max_abs=16 ** max(exponents))
    assert keypair[1].decrypt(array).tolist() == [16.0**exponent for exponent in exponents]


def test_aligned_numbers_that_wrap_around_are_no_results(keypair: Keys, phe_keys: tuple[Any, Any]) -> None:
    """What exceeds n/3 / 16^spread: phe decrypts most of it to wrong numbers."""
    limit, half, silent = keypair[0].n // 3 - 1, phe_keys[0].encrypt(0.5), 0
    assert half.exponent == -14
    for value in [*(limit - i * 10**140 for i in range(10)), limit >> 55, -(limit >> 3)]:
        number = phe_keys[0].encrypt(value)
        with contextlib.suppress(OverflowError):
            silent += abs(phe_keys[1].decrypt(number + half) / value - 1) > 0.1
        with pytest.raises(CorruptedAggregateError):
            keypair[1].decrypt(from_phe(keypair[0], [number, half]))
    assert silent
    largest = limit >> 56 + 64
    aligned = from_phe(keypair[0], [phe_keys[0].encrypt(largest), phe_keys[0].encrypt(-largest), half])
    assert keypair[1].decrypt(aligned).tolist() == [float(largest), -float(largest), 0.5]


def test_max_abs_gives_room_to_compute_and_is_checked(keypair: Keys, phe_keys: tuple[Any, Any]) -> None:
    numbers = [phe_keys[0].encrypt(value) for value in (1.5, -100)]
    with pytest.raises(PlaintextOverflowError):
        from_phe(keypair[0], numbers[:1]) + from_phe(keypair[0], numbers[:1])
    narrow = from_phe(keypair[0], numbers, max_abs=100)
    assert keypair[1].decrypt((narrow + narrow) * 2).tolist() == [6.0, -400.0]
    with pytest.raises(CorruptedAggregateError):
        keypair[1].decrypt(from_phe(keypair[0], numbers, max_abs=99.5))
    with pytest.raises(PlaintextOverflowError, match="max_abs"):
        from_phe(keypair[0], numbers, max_abs=2**600)
    with pytest.raises(ValueError, match="max_abs"):
        from_phe(keypair[0], numbers, max_abs=-1)


def test_phes_overflow_band_is_checked_after_decryption(keypair: Keys, phe_keys: tuple[Any, Any]) -> None:
    limit = keypair[0].n // 3 - 1
    edge = phe_keys[0].encrypt(limit)
    assert keypair[1].decrypt(from_phe(keypair[0], [edge])).tolist() == [limit]
    with pytest.raises(CorruptedAggregateError):
        keypair[1].decrypt(from_phe(keypair[0], [edge + 1]))


def test_packed_arrays_have_no_form_in_phe(public_key: PublicKey, module: Any) -> None:
    with pytest.raises(PackedOperationError, match="packed=False"):
        to_phe(public_key.encrypt([1.0], packed=True), module)


def test_h39_what_is_not_fresh_leaves_rerandomised(keypair: Keys, phe_keys: tuple[Any, Any], module: Any) -> None:
    c = keypair[0].encrypt([1.0, 2.0])
    (bare,) = {number.ciphertext(False) for number in to_phe(c - c, module, rerandomize=False)}
    assert bare == 1
    difference = c - c
    numbers = to_phe(difference, module)
    ciphertexts = [number.ciphertext(False) for number in numbers]
    assert len({1, *ciphertexts}) == 3
    assert [phe_keys[1].decrypt(number) for number in numbers] == [0.0, 0.0]
    assert keypair[1].decrypt(difference).tolist() == [0.0, 0.0]
    fresh = keypair[0].encrypt([5])
    assert [to_phe(fresh, module)[0].ciphertext(False)] == fresh.ciphertexts(rerandomize=False)
    came_in = from_phe(keypair[0], numbers)
    assert not came_in.is_fresh
    assert not {n.ciphertext(False) for n in to_phe(came_in, module)} & set(ciphertexts)


def test_wrong_arguments_are_named(keypair: Keys, phe_keys: tuple[Any, Any], module: Any) -> None:
    with pytest.raises(TypeError, match=r"PublicKey\.from_phe"):
        from_phe(phe_keys[0], [])
    with pytest.raises(TypeError, match="number 0 is a float"):
        from_phe(keypair[0], [1.5])
    with pytest.raises(TypeError, match="must be an EncryptedArray"):
        to_phe([1.5], module)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="EncryptedNumber"):
        to_phe(keypair[0].encrypt([1]), SimpleNamespace(PaillierPublicKey=module.PaillierPublicKey))


def test_numbers_of_one_exponent_take_no_arithmetic(
    keypair: Keys, phe_keys: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ring_type, powers = type(keypair[0]._context.ring), []
    power = ring_type.power_vartime
    monkeypatch.setattr(
        ring_type,
        "power_vartime",
        lambda self, batch, exponents: powers.append(list(exponents)) or power(self, batch, exponents),
    )
    public = phe_keys[0]
    same, other = [public.encrypt(value) for value in (1, 2, 3)], public.encrypt(4, precision=1 / 16)
    powers.clear()
    assert keypair[1].decrypt(from_phe(keypair[0], same)).tolist() == [1, 2, 3]
    assert powers == []
    assert keypair[1].decrypt(from_phe(keypair[0], [*same, other])).tolist() == [1, 2, 3, 4]
    assert powers == [[16, 16, 16, 1]]


@pytest.mark.parametrize(("outer", "inner"), [(3, 30_000), (30_000, 3), (300, 300)])
def test_h77_shared_lists_are_counted_at_every_depth(keypair: Keys, outer: int, inner: int) -> None:
    number = SimpleNamespace()
    for shared in ([[number] * inner] * outer, [[[number] * inner] * outer], [[[number]] * inner] * outer):
        with pytest.raises(ValueError, match="share their lists"):
            from_phe(keypair[0], shared)
    with pytest.raises(TypeError, match="number 0 is a SimpleNamespace"):
        from_phe(keypair[0], [[number] * 3] * 3)


@pytest.mark.parametrize(
    ("key_length", "least", "greatest"),
    [(512, -395, 128), (1024, -523, 256), (15_313, -4096, 3828), (16_384, -4096, 4096)],
)
def test_h36_the_last_exponents_that_are_taken(key_length: int, least: int, greatest: int) -> None:
    """Below, every number would be less than the least float, or no encoding has the fraction bits."""
    key = SimpleNamespace(n=15, key_length=key_length)

    def number(exponent: Any) -> Any:
        return SimpleNamespace(public_key=key, exponent=exponent, ciphertext=None)

    for exponent in (least, 0, greatest, np.int64(greatest)):
        checked = interop._checked_exponent(key, number(exponent), 0)  # type: ignore[arg-type]
        assert (checked, type(checked)) == (exponent, int)
    for beyond in (least - 1, greatest + 1):
        with pytest.raises(PlaintextOverflowError, match=f"number 7 must be from {least} to {greatest} for a"):
            interop._checked_exponent(key, number(beyond), 7)  # type: ignore[arg-type]
    for bad in (True, 1.0, None):
        with pytest.raises(SerializationError, match="exponent of number 7 must be an int"):
            interop._checked_exponent(key, number(bad), 7)  # type: ignore[arg-type]


def test_the_bound_of_aligned_numbers_has_room_for_floats_and_a_guard() -> None:
    limit = (1 << 500) - 1  # room is 499 - shift
    assert interop._bound_of_aligned(limit, 0, 512) == limit
    for shift, guard in ((4, 64), (382, 64), (383, 63), (445, 1), (446, 0)):
        assert interop._bound_of_aligned(limit, shift, 512) == limit >> guard
    with pytest.raises(PlaintextOverflowError, match="do not fit a 512-bit key"):
        interop._bound_of_aligned(limit, 447, 512)


def test_the_widest_encoding_is_a_power_of_two_and_a_float() -> None:
    for limit, fraction_bits, power in ((1 << 100, 4, 96), ((1 << 100) - 1, 4, 95), (1 << 3000, 0, 1023), (8, 8, -5)):
        encoding = interop._widest_encoding(limit, fraction_bits)
        assert (encoding.fraction_bits, encoding.max_abs) == (fraction_bits, 2.0**power)


@pytest.mark.parametrize("module", [phe, vecphe.phe], ids=["phe", "vecphe.phe"])
def test_numbers_are_added_to_arrays_as_the_error_says(module: Any) -> None:
    public_key, private_key = vecphe.generate_keypair(256, insecure=True)
    number = private_key.to_phe(module).public_key.encrypt(2.5)
    c = public_key.encrypt([1.0])
    for operation in (lambda x: c + x, lambda x: c - x):
        with pytest.raises(TypeError, match=r"EncryptedNumber is no array; to add it, .*\[x\], max_abs=m\)"):
            operation(number)
    assert private_key.decrypt(c + vecphe.from_phe(c.public_key, [number], max_abs=100)) == 3.5


@pytest.mark.parametrize("module", [phe, vecphe.phe], ids=["phe", "vecphe.phe"])
def test_numbers_are_neither_factors_nor_plain_values(module: Any) -> None:
    """Left to the number, the operation would end in a text about the precision of types."""
    public_key, private_key = vecphe.generate_keypair(256, insecure=True)
    number = private_key.to_phe(module).public_key.encrypt(2.5)
    c = public_key.encrypt([1.0])
    for product in (lambda: c * number, lambda: c @ number, lambda: c.dot(number), lambda: np.multiply(c, number)):
        with pytest.raises(TypeError, match=r"^a product of two encrypted values cannot be computed"):
            product()
    for quotient in (lambda: c / number, lambda: np.true_divide(c, number)):
        with pytest.raises(TypeError, match=r"^division by an encrypted value cannot be computed"):
            quotient()
    with pytest.raises(TypeError, match="EncryptedNumber is no array"):
        c[0] = number
    told = r"holds an object of type EncryptedNumber.*\(vecphe.from_phe\(public_key, x, max_abs=m\) makes an array of"
    for x in (number, [number], np.array([number])):
        with pytest.raises(TypeError, match=told):
            public_key.encrypt(x)
        assert private_key.decrypt(vecphe.from_phe(public_key, x, max_abs=100)) == 2.5
    for operation in (lambda x: c + x, lambda x: x - c, lambda x: c * x, lambda x: x @ c):
        with pytest.raises(TypeError, match=told):
            operation([number])


def test_a_number_of_phe_is_no_divisor_of_one_of_the_facade() -> None:
    private_key = vecphe.generate_keypair(256, insecure=True)[1]
    ours, other = (private_key.to_phe(module).public_key.encrypt(2.5) for module in (vecphe.phe, phe))
    with pytest.raises(TypeError, match="can be divided by a plain number, not by an EncryptedNumber"):
        ours / other
