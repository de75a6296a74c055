"""Both sides of the limits that numbers of the JSON form have, which are those of the binary form's fields."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from vecphe import PublicKey
from vecphe.errors import VecpheError
from vecphe.numbers.key_numbers import GREATEST_KEY_LENGTH
from vecphe.serialization import frame_from_json

# Of an array: where the number stands, how the error calls it, its least and its greatest value.
LIMITS = (
    (("key_length",), "key_length", 1, GREATEST_KEY_LENGTH),
    (("shape", 0), "a length of the shape", 0, (1 << 64) - 1),
    (("encoding", "fraction_bits"), "fraction_bits", 0, (1 << 16) - 1),
    (("encoding", "max_terms"), "max_terms", 0, (1 << 64) - 1),
    (("encoding", "max_abs", "exponent"), "max_abs.exponent", -32768, 32767),
    (("scale",), "scale", 0, (1 << 32) - 1),
    (("terms",), "terms", 0, (1 << 64) - 1),
    (("bound", "exponent"), "bound.exponent", -32768, 32767),
    (("layout", "width"), "layout.width", 0, (1 << 32) - 1),
    (("layout", "slots"), "layout.slots", 0, (1 << 32) - 1),
    (("divisor",), "divisor", 2, (1 << 64) - 1),
)


def told(content: dict[str, Any]) -> str:
    try:
        frame_from_json(json.dumps(content))
    except VecpheError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("path", "name", "least", "most"), LIMITS, ids=[name for _, name, _, _ in LIMITS])
def test_h36_numbers_of_json_have_the_limits_of_their_fields(
    public_key: PublicKey, path: tuple[str | int, ...], name: str, least: int, most: int
) -> None:
    content = json.loads((public_key.encrypt([1.0, 2.0], packed=True) / 2).to_json())
    *places, last = path

    def changed(value: object) -> dict[str, Any]:
        made = copy.deepcopy(content)
        where: Any = made
        for place in places:
            where = where[place]
        where[last] = value
        return made

    assert told(changed(most + 1)) == told(changed(least - 1)) == f"{name} must be an integer from {least} to {most}"
    for value in (least, most):  # which may be wrong beside the other numbers
        assert f"{name} must be an integer" not in told(changed(value))
    assert told(changed(True)) == told(changed(str(least))) == f"{name} must be an integer from {least} to {most}"
