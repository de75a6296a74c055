"""`vecphe layout`: what it says to type does what it says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vecphe import FixedPoint, SlotLayout
from vecphe.cli.app import app
from vecphe.cli.layout import plan_layout


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["layout", *arguments])


def test_what_it_says_to_type_holds_the_range_and_the_precision(keypair: Any) -> None:
    public_key, private_key = keypair
    length = public_key.n.bit_length()
    done = command("--max-abs", "10.5", "--precision", "1e-6", "--terms", "3", "--key-length", str(length))
    assert done.exit_code == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert first == "encoding=FixedPoint(fraction_bits=20, max_abs=10.5, max_terms=3)"
    encoding = eval(first.removeprefix("encoding="), {"FixedPoint": FixedPoint})
    x = np.array([10.5, -10.5, 1 / 3, 1e-6])
    c = public_key.encrypt(x, packed=True, encoding=encoding)
    assert np.abs(private_key.decrypt(c) - x).max() <= 1e-6
    assert private_key.decrypt(c + c + c)[0] == 31.5


@given(max_abs=st.floats(1e-9, 1e12), precision=st.floats(1e-12, 1e3), terms=st.integers(1, 10**6))
def test_it_takes_the_coarsest_encoding_that_is_precise_enough(max_abs: float, precision: float, terms: int) -> None:
    if max_abs <= precision:
        with pytest.raises(ValueError, match="--precision"):
            plan_layout(max_abs, precision, terms, 2048)
        return
    plan = plan_layout(max_abs, precision, terms, 2048)
    assert plan.rounding_error == 2.0 ** -(plan.fraction_bits + 1) <= precision
    assert plan.fraction_bits == 0 or 2.0 ** -(plan.fraction_bits - 3) > precision
    layout = SlotLayout.for_key(FixedPoint(plan.fraction_bits, max_abs, terms), 2048)
    assert (plan.slot_bits, plan.slots, plan.bytes_per_value) == (layout.width, layout.slots, 512 / layout.slots)


def test_json() -> None:
    done = command("--max-abs", "123456789", "--precision", "0.5", "--json")
    found = json.loads(done.stdout)
    assert found["encoding"] == "FixedPoint(fraction_bits=0, max_abs=123456789.0, max_terms=255)"
    assert found["key_length"] == 3072
    assert found["slots"] * found["slot_bits"] < 3072


def test_one_slot_is_no_plural() -> None:
    done = command("--max-abs", "1e300", "--precision", "1e-300", "--key-length", "2048")
    assert "\n1 slot of 2002 bits" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--max-abs nan --precision 1", "--max-abs must be positive and finite, not nan"),
        ("--max-abs 0 --precision 1", "--max-abs must be positive and finite, not 0"),
        ("--max-abs 1 --precision inf", "--precision must be positive and finite, not inf"),
        ("--max-abs 1 --precision -1", "--precision must be positive and finite, not -1"),
        ("--max-abs 2 --precision 2", "--precision 2 would round values up to --max-abs 2 to nothing"),
        ("--max-abs 2 --precision 1 --terms 0", "--terms must be at least 1 and below 2^63, not 0"),
        (f"--max-abs 2 --precision 1 --terms {1 << 63}", "--terms must be at least 1 and below 2^63"),
        ("--max-abs 2 --precision 1 --key-length 77", "key_length must be even and from 256"),
        ("--max-abs 1e300 --precision 1e-300 --key-length 256", "too wide for a 256-bit key"),
    ],
)
def test_options_that_make_no_sense_are_named(options: str, message: str) -> None:
    done = command(*options.split())
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            "--max-abs 10.5 --precision 1e-6 --terms 3",
            "encoding=FixedPoint(fraction_bits=20, max_abs=10.5, max_terms=3)\n"
            "values up to 10.5, each rounded by at most 4.77e-07; sums of 3\n"
            "78 slots of 26 bits in a plaintext of a 2048-bit key\n"
            "6.56 B a value; unpacked it would be 512 B\n",
        ),
        (
            "--max-abs 8 --precision 1 --terms 9223372036854775807",
            "encoding=FixedPoint(fraction_bits=0, max_abs=8.0, max_terms=9223372036854775807)\n"
            "values up to 8, each rounded by at most 0.5; sums of 9223372036854775807\n"
            "30 slots of 67 bits in a plaintext of a 2048-bit key\n"
            "17.1 B a value; unpacked it would be 512 B\n",
        ),
    ],
)
def test_a_plan_is_printed(options: str, text: str) -> None:
    assert command(*options.split(), "--key-length", "2048").stdout == text


@pytest.mark.parametrize(
    ("precision", "fraction_bits"),
    [(1e3, 0), (0.5, 0), (0.4999999999999999, 4), (2.0**-5, 4), (2.0**-5 - 2.0**-58, 8), (2.0**-6, 8), (2.0**-9, 8)],
)
def test_an_encoding_is_just_precise_enough(precision: float, fraction_bits: int) -> None:
    plan = plan_layout(1e6, precision, 1, 2048)
    assert (plan.fraction_bits, plan.max_terms) == (fraction_bits, 1)
    assert plan.rounding_error == 0.5 / 2**fraction_bits
