"""The JSON form: the fields of a binary frame by name, and its checksum. It is read by building that frame again."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

from vecphe.arithmetic import ciphertext_bytes, integers_from_bytes
from vecphe.errors import InvalidCiphertextError, SerializationError
from vecphe.numbers.key_numbers import GREATEST_KEY_LENGTH
from vecphe.serialization.fields import ArrayFields, Number
from vecphe.serialization.frames import (
    CHECKSUM_BYTES,
    Kind,
    SealedFields,
    array_body,
    array_from_body,
    build_frame,
    integer_from_body,
    open_frame,
    primes_body,
    primes_from_body,
    public_body,
    sealed_body,
    sealed_from_body,
)
from vecphe.serialization.strict_text import (
    bytes_from_base64url,
    bytes_to_base64url,
    check_parts,
    integer_to_base64url,
    parse_json,
    without_duplicates,
)

__all__ = ["frame_from_json", "json_from_frame"]

_FORMAT, _VERSION = "vecphe", 1
_LONGEST_LITERAL = 20  # digits of 2^64
_MOST_PARTS = 64  # lists, objects and fields; an array has 30
_HEX = re.compile(r"[0-9a-f]*", re.ASCII)
_HEAD = ("format", "version", "kind", "fingerprint")


def json_from_frame(data: bytes) -> str:
    """The JSON form of a frame made here."""
    kind, fingerprint, body = open_frame(data, *Kind)
    head = {"format": _FORMAT, "version": _VERSION, "kind": _KINDS[kind][0], "fingerprint": fingerprint}
    fields = _KINDS[kind][1](fingerprint, body)
    return json.dumps({**head, **fields, "checksum": data[-CHECKSUM_BYTES:].hex()}, indent=1) + "\n"


def frame_from_json(text: str) -> bytes:
    """The frame that JSON describes, its head and checksum right; the body is still to be checked.

    Raises
    ------
    SerializationError
        For anything but the JSON form. Never holds more of the text than the name of a field.
    """
    content = _parse(text)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise SerializationError('not in vecphe\'s JSON form: it must be an object with "format": "vecphe"')
    if content.get("version") != _VERSION or type(content["version"]) is not int:
        raise SerializationError(f"the version of the format is unknown; this is vecphe for version {_VERSION}")
    names = {name: kind for kind, (name, _, _) in _KINDS.items()}
    kind = names.get(content["kind"]) if isinstance(content.get("kind"), str) else None
    if kind is None:
        raise SerializationError(f"the kind is unknown; it must be one of {', '.join(names)}")
    fingerprint = _hex(content.get("fingerprint"), "fingerprint", 16)
    checksum = _hex(content.get("checksum"), "checksum", CHECKSUM_BYTES)
    fields = {key: value for key, value in content.items() if key not in (*_HEAD, "checksum")}
    frame = build_frame(kind, fingerprint, *_KINDS[kind][2](fingerprint, fields))
    if frame[-CHECKSUM_BYTES:].hex() != checksum:
        raise SerializationError("the checksum is wrong: damaged or edited")
    return frame


# Strict JSON -------------------------------------------------------------------------------------------------------


def _parse(text: str) -> Any:
    if not isinstance(text, str):
        raise TypeError(f"text must be str, not {type(text).__name__}")
    check_parts(text, _MOST_PARTS, "not in vecphe's JSON form, which has few lists, objects and fields")
    return parse_json(
        text,
        "not JSON, or nested too deeply",
        object_pairs_hook=without_duplicates("a field stands twice"),
        parse_int=_integer,
        parse_float=_refuse,
        parse_constant=_refuse,
    )


def _integer(literal: str) -> int:
    if len(literal) > _LONGEST_LITERAL or literal == "-0":
        raise SerializationError("a JSON number is too long or -0; long integers are base64url strings")
    return int(literal)


def _refuse(literal: str) -> Any:
    raise SerializationError("fractions, exponents, NaN and Infinity do not occur in the form")


def _take(content: Any, name: str, *fields: str) -> list[Any]:
    if not isinstance(content, dict):
        raise SerializationError(f"{name} must be an object")
    if unknown := sorted(content.keys() - fields):
        raise SerializationError(f"{name} has an unknown field {unknown[0][:40]!r}")
    if missing := [field for field in fields if field not in content]:
        raise SerializationError(f"{name} lacks the field {missing[0]!r}")
    return [content[field] for field in fields]


def _small(value: Any, name: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise SerializationError(f"{name} must be an integer from {least} to {most}")
    return value


def _boolean(value: Any, name: str) -> bool:
    if type(value) is not bool:
        raise SerializationError(f"{name} must be true or false")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise SerializationError(f"{name} must be a list")
    return value


def _hex(value: Any, name: str, length: int) -> str:
    if not isinstance(value, str) or len(value) != 2 * length or not _HEX.fullmatch(value):
        raise SerializationError(f"{name} must be {2 * length} lower-case hexadecimal digits")
    return value


def _data(value: Any, name: str, most: int) -> bytes:
    """Bytes of base64url without padding."""
    malformed = f"{name} must be base64url without padding"
    if not isinstance(value, str):
        raise SerializationError(malformed)
    if len(value) > -(-most * 4 // 3):
        raise SerializationError(f"{name} is longer than {most} bytes")
    return bytes_from_base64url(value, malformed, f"{name} must be base64url with unused bits 0")


def _big(value: Any, name: str, most: int) -> int:
    data = _data(value, name, most)
    if not data or (data[0] == 0 and len(data) > 1):
        raise SerializationError(f"{name} must have no leading zero byte and not be empty")
    return int.from_bytes(data, "big")


# The kinds ---------------------------------------------------------------------------------------------------------

Fields = dict[str, Any]


def _public_fields(_: str, body: memoryview) -> Fields:
    return {"n": integer_to_base64url(integer_from_body(body))}


def _public_body(_: str, fields: Fields) -> tuple[bytes, ...]:
    (n,) = _take(fields, "a public key", "n")
    return (public_body(_big(n, "n", GREATEST_KEY_LENGTH // 8)),)


def _private_fields(_: str, body: memoryview) -> Fields:
    p, q = primes_from_body(body)
    return {"p": integer_to_base64url(p), "q": integer_to_base64url(q)}


def _private_body(_: str, fields: Fields) -> tuple[bytes, ...]:
    p, q = _take(fields, "a private key", "p", "q")
    most = GREATEST_KEY_LENGTH // 16
    return (primes_body(_big(p, "p", most), _big(q, "q", most)),)


def _sealed_fields(_: str, body: memoryview) -> Fields:
    sealed = sealed_from_body(body)
    return {
        "scrypt": {"log2_n": sealed.log2_n, "r": sealed.r, "p": sealed.p, "salt": bytes_to_base64url(sealed.salt)},
        "aes_gcm": {"nonce": bytes_to_base64url(sealed.nonce), "ciphertext": bytes_to_base64url(sealed.ciphertext)},
    }


def _sealed_body(_: str, fields: Fields) -> tuple[bytes, ...]:
    scrypt, aes_gcm = _take(fields, "an encrypted private key", "scrypt", "aes_gcm")
    log2_n, r, p, salt = _take(scrypt, "scrypt", "log2_n", "r", "p", "salt")
    nonce, ciphertext = _take(aes_gcm, "aes_gcm", "nonce", "ciphertext")
    costs = (_small(log2_n, "log2_n", 0, 255), _small(r, "r", 0, 255), _small(p, "p", 0, 255))
    salt, nonce = _data(salt, "salt", 16), _data(nonce, "nonce", 12)
    if (len(salt), len(nonce)) != (16, 12):
        raise SerializationError("the salt must have 16 bytes and the nonce 12")
    return (sealed_body(SealedFields(*costs, salt, nonce, _data(ciphertext, "ciphertext", GREATEST_KEY_LENGTH))),)


def _number_fields(number: Number) -> Fields:
    return {"mantissa": integer_to_base64url(number.mantissa), "exponent": number.exponent}


def _number(value: Any, name: str) -> Number:
    mantissa, exponent = _take(value, name, "mantissa", "exponent")
    return Number(_big(mantissa, f"the mantissa of {name}", 255), _small(exponent, f"{name}.exponent", -32768, 32767))


def _array_fields(fingerprint: str, body: memoryview) -> Fields:
    fields = array_from_body(fingerprint, body)
    width, data = ciphertext_bytes(fields.key_length), fields.ciphertexts
    return {
        "key_length": fields.key_length,
        "integer": fields.integer,
        "shape": fields.shape,
        "encoding": {
            "fraction_bits": fields.fraction_bits,
            "max_terms": fields.max_terms,
            "max_abs": _number_fields(fields.max_abs),
        },
        "scale": fields.scale,
        "terms": fields.terms,
        "bound": _number_fields(fields.bound),
        "layout": {"width": fields.width, "slots": fields.slots} if fields.packed else None,
        **({"divisor": fields.divisor} if fields.divisor > 1 else {}),
        "ciphertexts": [integer_to_base64url(ciphertext) for ciphertext in integers_from_bytes(data, width)],
        **({"columns": bytes_to_base64url("\n".join(fields.columns).encode())} if fields.columns else {}),
    }


def _array_body(fingerprint: str, content: Fields) -> tuple[bytes, ...]:
    names = ("key_length", "integer", "shape", "encoding", "scale", "terms", "bound", "layout", "ciphertexts")
    columns = _columns(content.pop("columns")) if "columns" in content else ()
    divisor = _small(content.pop("divisor"), "divisor", 2, (1 << 64) - 1) if "divisor" in content else 1
    key_length, integer, shape, encoding, scale, terms, bound, layout, ciphertexts = _take(
        content, "an encrypted array", *names
    )
    fraction_bits, max_terms, max_abs = _take(encoding, "encoding", "fraction_bits", "max_terms", "max_abs")
    width, slots = (0, 0) if layout is None else _take(layout, "layout", "width", "slots")
    key_length = _small(key_length, "key_length", 1, GREATEST_KEY_LENGTH)
    fields = ArrayFields(
        fingerprint=fingerprint,
        key_length=key_length,
        integer=_boolean(integer, "integer"),
        packed=layout is not None,
        shape=tuple(_small(length, "a length of the shape", 0, (1 << 64) - 1) for length in _list(shape, "shape")),
        fraction_bits=_small(fraction_bits, "fraction_bits", 0, (1 << 16) - 1),
        max_terms=_small(max_terms, "max_terms", 0, (1 << 64) - 1),
        max_abs=_number(max_abs, "max_abs"),
        scale=_small(scale, "scale", 0, (1 << 32) - 1),
        terms=_small(terms, "terms", 0, (1 << 64) - 1),
        bound=_number(bound, "bound"),
        width=_small(width, "layout.width", 0, (1 << 32) - 1),
        slots=_small(slots, "layout.slots", 0, (1 << 32) - 1),
        ciphertexts=_ciphertexts(_list(ciphertexts, "ciphertexts"), ciphertext_bytes(key_length)),
        divisor=divisor,
        columns=columns,
    )
    return array_body(fields)


def _columns(value: Any) -> tuple[str, ...]:
    try:
        # The frame has a limit of its own.
        return tuple(_data(value, "columns", sys.maxsize).decode().split("\n"))
    except UnicodeDecodeError:
        raise SerializationError("columns must be UTF-8") from None


def _ciphertexts(values: list[Any], width: int) -> bytes:
    parts = []
    for value in values:
        try:
            parts.append(_big(value, "a ciphertext", width).to_bytes(width, "little"))
        except SerializationError:
            raise InvalidCiphertextError from None
    return b"".join(parts)


_KINDS: dict[Kind, tuple[str, Callable[[str, memoryview], Fields], Callable[[str, Fields], tuple[bytes, ...]]]] = {
    Kind.PUBLIC_KEY: ("public key", _public_fields, _public_body),
    Kind.PRIVATE_KEY: ("private key", _private_fields, _private_body),
    Kind.SEALED_PRIVATE_KEY: ("encrypted private key", _sealed_fields, _sealed_body),
    Kind.ARRAY: ("encrypted array", _array_fields, _array_body),
}
