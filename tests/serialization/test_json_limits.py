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
from vecphe.serialization.strict_text import bytes_from_base64url, bytes_to_base64url, check_parts

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
        for text in ("AA", "AQA", "AQAA", "AQAB"):  # 0, and numbers with bytes of 0 that do not lead
            assert told(with_text(kind, path, text)) == CHECKSUM
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


@pytest.mark.parametrize("name", ["log2_n", "r", "p"])
def test_h35_costs_of_json_are_bytes(name: str) -> None:
    for value, wanted in (
        *((good, CHECKSUM) for good in (0, 1, 255)),
        *((bad, f"{name} must be an integer from 0 to 255") for bad in (-1, 256, True, "8", None)),
    ):
        assert told(with_text("encrypted private key", ("scrypt", name), value)) == wanted


@pytest.mark.parametrize(("name", "digits"), [("fingerprint", 32), ("checksum", 32)])
def test_h36_hexadecimal_digits_have_one_spelling(name: str, digits: int) -> None:
    wanted = f"{name} must be {digits} lower-case hexadecimal digits"
    for bad in (*("0" * count for count in (0, digits - 2, digits - 1, digits + 1, digits + 2)),
                "A" * digits, "g" * digits, " " * digits, "0" * (digits - 1) + "\n", "\u0660" * digits,
                5, None, ["0"] * digits):  # fmt: skip
        assert told(with_text("public key", (name,), bad)) == wanted
    for good in ("f" * digits, "0123456789abcdef" * 2):
        assert told(with_text("public key", (name,), good)) == CHECKSUM


def test_h37_what_the_form_has_no_numbers_for(public_key: PublicKey) -> None:
    text = public_key.to_json()
    refused = "fractions, exponents, NaN and Infinity do not occur in the form"
    long = "a JSON number is too long or -0; long integers are base64url strings"
    for literal, wanted in (
        *((literal, refused) for literal in ("NaN", "Infinity", "-Infinity", "1.0", "1e0", "1E400", "-0.0")),
        *((literal, long) for literal in ("-0", "1" * 21, "-" + "1" * 20)),
        *((literal, "unknown") for literal in ("2", "0", "-1", "1" * 20, "true", "null", '"1"', "[1]")),
    ):
        with pytest.raises(SerializationError) as caught:
            frame_from_json(text.replace('"version": 1', f'"version": {literal}'))
        message = f"the version of the format is {wanted}; this is vecphe for version 1"
        assert str(caught.value) == (message if wanted == "unknown" else wanted)
    assert text.count("\n ") == 6  # one field a line, each after one space
    assert text.endswith('"\n}\n')


@pytest.mark.parametrize(("kind", "path"), [("private key", ()), ("encrypted private key", ("aes_gcm",))])
def test_h36_the_first_field_that_is_wrong_is_named(kind: str, path: tuple[str, ...]) -> None:
    def where(content: dict[str, Any]) -> dict[str, Any]:
        for place in path:
            content = content[place]
        return content

    name = path[-1] if path else f"a {kind}"
    content = with_text(kind, ("checksum",), "0" * 32)
    where(content).update(z=1, b=2, **{"y" * 50: 3})
    assert told(content) == f"{name} has an unknown field 'b'"
    del where(content)["b"]
    assert told(content) == f"{name} has an unknown field '{'y' * 40}'"
    content = with_text(kind, ("checksum",), "0" * 32)
    first = next(field for field in where(content) if field in ("p", "nonce"))
    del where(content)[first]
    assert told(content) == f"{name} lacks the field '{first}'"
    if path:
        assert told(with_text(kind, path, [1])) == f"{name} must be an object"


@pytest.mark.parametrize("length", range(34))
def test_base64url_of_every_length(length: int) -> None:
    for data in (bytes(length), b"\xff" * length, bytes(range(200, 200 + length))):
        text = bytes_to_base64url(data)
        assert text == base64url(data)
        assert bytes_from_base64url(text, "malformed", "stray") == data
    for broken in (text + "A" * ((1 - len(text)) % 4 or 4), text + "=", text + "\n", text + "+"):
        with pytest.raises(SerializationError, match=r"^malformed$"):
            bytes_from_base64url(broken, "malformed", "stray")
