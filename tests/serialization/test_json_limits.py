"""Both sides of the limits that numbers of the JSON form have, which are those of the binary form's fields."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest

from vecphe import PublicKey
from vecphe.errors import InvalidKeyError, SerializationError, VecpheError
from vecphe.numbers.key_numbers import GREATEST_KEY_LENGTH
from vecphe.serialization import frame_from_json
from vecphe.serialization.jwk import GREATEST_TEXT, integer_from_base64url, parse_public_jwk
from vecphe.serialization.strict_text import check_parts

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


# Of a text of bytes: the kind, where it stands, how the error calls it, and the most bytes that it may have.
LENGTHS = (
    ("public key", ("n",), "n", GREATEST_KEY_LENGTH // 8),
    ("private key", ("p",), "p", GREATEST_KEY_LENGTH // 16),
    ("private key", ("q",), "q", GREATEST_KEY_LENGTH // 16),
    ("encrypted private key", ("scrypt", "salt"), "salt", 16),
    ("encrypted private key", ("aes_gcm", "nonce"), "nonce", 12),
    ("encrypted private key", ("aes_gcm", "ciphertext"), "ciphertext", GREATEST_KEY_LENGTH),
    ("encrypted array", ("encoding", "max_abs", "mantissa"), "the mantissa of max_abs", 255),
    ("encrypted array", ("bound", "mantissa"), "the mantissa of bound", 255),
)
NUMBER = {"mantissa": "AQ", "exponent": 0}
CONTENTS: dict[str, dict[str, Any]] = {
    "public key": {"n": "AQ"},
    "private key": {"p": "AQ", "q": "Ag"},
    "encrypted private key": {
        "scrypt": {"log2_n": 10, "r": 8, "p": 1, "salt": "A" * 21 + "A"},
        "aes_gcm": {"nonce": "A" * 16, "ciphertext": "AQ"},
    },
    "encrypted array": {
        "key_length": 512, "integer": False, "shape": [1],
        "encoding": {"fraction_bits": 0, "max_terms": 1, "max_abs": NUMBER},
        "scale": 0, "terms": 1, "bound": NUMBER, "layout": None, "ciphertexts": ["AQ"],
    },
}  # fmt: skip
CHECKSUM = "the checksum is wrong: damaged or edited"


def with_text(kind: str, path: tuple[str, ...], text: object) -> dict[str, Any]:
    """A whole text but for its checksum, which is looked at last."""
    head = {"format": "vecphe", "version": 1, "kind": kind, "fingerprint": "0" * 32, "checksum": "0" * 32}
    made = json.loads(json.dumps({**head, **CONTENTS[kind]}))
    *places, last = path
    where: Any = made
    for place in places:
        where = where[place]
    where[last] = text
    return made


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(("kind", "path", "name", "most"), LENGTHS, ids=[name for _, _, name, _ in LENGTHS])
def test_h37_texts_of_json_have_the_lengths_of_their_fields(
    kind: str, path: tuple[str, ...], name: str, most: int
) -> None:
    assert told(with_text(kind, path, base64url(b"\x01" * most))) == CHECKSUM
    longer = f"{name} is longer than {most} bytes"
    assert told(with_text(kind, path, base64url(b"\x01" * (most + 1)))) == longer
    for value in (1, None, ["AQ"], "A", "AQ==", "+w"):
        assert told(with_text(kind, path, value)) == f"{name} must be base64url without padding"
    assert told(with_text(kind, path, "AR")) == f"{name} must be base64url with unused bits 0"
    if name in ("salt", "nonce"):
        for size in (most - 1, 0):
            shorter = told(with_text(kind, path, base64url(b"\x01" * size)))
            assert shorter == "the salt must have 16 bytes and the nonce 12"
    elif name != "ciphertext":
        for text in ("", "AAE"):
            no_number = f"{name} must have no leading zero byte and not be empty"
            assert told(with_text(kind, path, text)) == no_number


def test_h31_a_ciphertext_of_json_is_as_long_as_the_key_says() -> None:
    for values, wanted in (
        ([b"\x01" * 128], CHECKSUM),
        ([b"\0"], CHECKSUM),
        ([b"\x01" * 129], "not a valid ciphertext for this key"),
        ([b"\x01", b"\0\x01"], "not a valid ciphertext for this key"),
        ([b""], "not a valid ciphertext for this key"),
    ):
        texts = [base64url(value) for value in values]
        assert told(with_text("encrypted array", ("ciphertexts",), texts)) == wanted


@pytest.mark.parametrize("text", ["[{:", b"[{:"])
def test_h37_as_many_parts_as_are_allowed(text: str | bytes) -> None:
    check_parts(text * 21, 63, "too many")
    check_parts(text * 21, 64, "too many")
    with pytest.raises(SerializationError, match="too many"):
        check_parts(text * 21, 62, "too many")


def test_h37_the_form_has_room_for_64_parts() -> None:
    """Lists, objects and fields, in texts too."""
    head = {"format": "vecphe", "version": 1, "kind": "public key", "fingerprint": "0" * 32, "checksum": "0" * 32}
    assert told({**head, "n": "[" * 57}) == "n must be base64url without padding"
    assert told({**head, "n": "[" * 58}) == "not in vecphe's JSON form, which has few lists, objects and fields"


def test_h12_a_web_key_and_its_numbers_have_lengths() -> None:
    longest = 2733  # characters: a leading zero byte is allowed
    assert integer_from_base64url("A" * (longest - 1), "n") == 0
    for text, message in (
        ("A" * longest, "n of the key is not base64url without padding"),
        ("A" * (longest + 1), "n of the key is longer than 16384 bits"),
        ("", "n of the key is not base64url without padding"),
        ("AR", "n of the key is not base64url: its last digit has stray bits"),
        (5, "n of the key must be a string of base64url"),
    ):
        with pytest.raises(SerializationError, match=f"^{message}$"):
            integer_from_base64url(text, "n")
    for text, message in (
        (" " * GREATEST_TEXT, "the key is not JSON text"),
        (" " * (GREATEST_TEXT + 1), f"the key is longer than {GREATEST_TEXT} characters"),
        (f'{{"n": "AQ"}}{" " * (GREATEST_TEXT - 11)}', "kty of the key must be 'DAJ': this is no Paillier key"),
        ('{"n": NaN}', "the key holds NaN or Infinity, which are no JSON"),
    ):
        for form in (text, text.encode()):
            with pytest.raises((SerializationError, InvalidKeyError), match=f"^{message}$"):
                parse_public_jwk(form)
