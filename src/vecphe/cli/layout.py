"""What `vecphe layout` computes and prints: the encoding for a range and a precision, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from vecphe.arithmetic import ciphertext_bytes
from vecphe.bench.tables import size
from vecphe.bench.workloads import short_keys
from vecphe.numbers.key_numbers import check_key_length
from vecphe.plaintext.encoding import FRACTION_STEP, FixedPoint
from vecphe.plaintext.packing import SlotLayout
from vecphe.system.plurals import counted

__all__ = ["PackedPlan", "plan_layout", "print_layout"]


@dataclass(frozen=True)
class PackedPlan:
    """A packed encoding, and what it costs under a key."""

    key_length: int
    fraction_bits: int
    max_abs: float
    max_terms: int
    rounding_error: float  # of a value, at most
    slot_bits: int
    slots: int
    bytes_per_value: float

    @property
    def encoding(self) -> str:
        """What to type."""
        return f"FixedPoint(fraction_bits={self.fraction_bits}, max_abs={self.max_abs!r}, max_terms={self.max_terms})"


def plan_layout(max_abs: float, precision: float, terms: int, key_length: int) -> PackedPlan:
    """The coarsest encoding that rounds no value by more than `precision`.

    Raises
    ------
    ValueError
        If a number makes no sense, named after its option; LayoutMismatchError if no slot fits the key.
    InvalidKeyError
        If no key has this length.
    """
    with short_keys():
        check_key_length(key_length, insecure=True)
    for option, value in (("--max-abs", max_abs), ("--precision", precision)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{option} must be positive and finite, not {value:g}")
    if max_abs <= precision:
        raise ValueError(f"--precision {precision:g} would round values up to --max-abs {max_abs:g} to nothing")
    if not 1 <= terms < 1 << 63:
        raise ValueError(f"--terms must be at least 1 and below 2^63, not {terms}")
    fraction_bits = _fraction_bits(precision)
    encoding = FixedPoint(fraction_bits, max_abs, terms)
    layout = SlotLayout.for_key(encoding, key_length)
    return PackedPlan(
        key_length=key_length,
        fraction_bits=fraction_bits,
        max_abs=max_abs,
        max_terms=terms,
        rounding_error=math.ldexp(0.5, -fraction_bits),
        slot_bits=layout.width,
        slots=layout.slots,
        bytes_per_value=ciphertext_bytes(key_length) / layout.slots,
    )


def _fraction_bits(precision: float) -> int:
    """The least f, a multiple of 4, with 2^-(f + 1) <= precision: rounding is to the nearest."""
    units = max(Fraction(1, 2) / Fraction(precision), Fraction(1))
    bits = math.ceil(units - 1).bit_length()  # the least f with 2^f >= units
    return -(-bits // FRACTION_STEP) * FRACTION_STEP


def print_layout(plan: PackedPlan) -> None:
    """Print a plan as text: what to type first."""
    print(f"encoding={plan.encoding}")
    print(f"values up to {plan.max_abs:g}, each rounded by at most {plan.rounding_error:.3g}; sums of {plan.max_terms}")
    print(f"{counted(plan.slots, 'slot')} of {plan.slot_bits} bits in a plaintext of a {plan.key_length}-bit key")
    unpacked = ciphertext_bytes(plan.key_length)
    print(f"{size(plan.bytes_per_value)} a value; unpacked it would be {size(unpacked)}")
