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
