"""Paillier keys as JSON Web Keys, in the form that phe's command line writes and reads.

A public key is ``{"kty": "DAJ", "alg": "PAI-GN1", "key_ops": ["encrypt"], "n": ..., "kid": ...}``, a private one
``{"kty": "DAJ", "key_ops": ["decrypt"], "p": ..., "q": ..., "pub": {the public key}, "kid": ...}``. Numbers are
unsigned, big-endian, in base64url without padding (RFC 7518, section 2). Here these are plain data: whether the
numbers make a key is for `vecphe.numbers.key_numbers` to say. No message holds a value of a field.
"""

from __future__ import annotations

import json
from typing import Any

from vecphe.errors import InvalidKeyError, SerializationError
from vecphe.numbers.key_numbers import GREATEST_KEY_LENGTH
from vecphe.serialization.strict_text import bytes_from_base64url, integer_to_base64url, parse_json, without_duplicates

__all__ = [
    "integer_from_base64url",
    "integer_to_base64url",
    "jwk_text",
    "parse_private_jwk",
    "parse_public_jwk",
    "private_jwk",
    "public_jwk",
]

KEY_TYPE = "DAJ"
ALGORITHM = "PAI-GN1"
GREATEST_TEXT = 1 << 16  # characters; the longest keys take 7,000, the rest is for comments
_GREATEST_NUMBER = -(-GREATEST_KEY_LENGTH // 6) + 2  # characters; a leading zero byte, as Java writes, is allowed


def integer_from_base64url(text: object, name: str) -> int:
    """The integer that `integer_to_base64url` wrote; `name` is what errors call it.

    Raises
    ------
    SerializationError
        If `text` is no string of base64url digits without padding, longer than any key's number, or ends in bits
        that belong to no byte.
    """
    if not isinstance(text, str):
        raise SerializationError(f"{name} of the key must be a string of base64url")
    if len(text) > _GREATEST_NUMBER:
        raise SerializationError(f"{name} of the key is longer than {GREATEST_KEY_LENGTH} bits")
    malformed = f"{name} of the key is not base64url without padding"
    if not text:
        raise SerializationError(malformed)
    stray = f"{name} of the key is not base64url: its last digit has stray bits"
    return int.from_bytes(bytes_from_base64url(text, malformed, stray), "big")


def public_jwk(n: int, kid: str | None = None) -> dict[str, Any]:
    """A public key; `kid` is a comment that names it."""
    return {
        "kty": KEY_TYPE,
        "alg": ALGORITHM,
        "key_ops": ["encrypt"],
        "n": integer_to_base64url(n),
        **_named(kid),
    }


def private_jwk(public: dict[str, Any], p: int, q: int, kid: str | None = None) -> dict[str, Any]:
    """A private key around its public one, which `public_jwk` made."""
    return {
        "kty": KEY_TYPE,
        "key_ops": ["decrypt"],
        "p": integer_to_base64url(p),
        "q": integer_to_base64url(q),
        "pub": public,
        **_named(kid),
    }


def _named(kid: str | None) -> dict[str, str]:
    if kid is None:
        return {}
    if not isinstance(kid, str):
        raise TypeError(f"kid must be a string, not {type(kid).__name__}")
    return {"kid": kid}


def jwk_text(jwk: dict[str, Any]) -> str:
    """JSON in one line, byte for byte what phe writes before the newline."""
    return json.dumps(jwk)


def parse_public_jwk(key: object) -> int:
    """The modulus n of a public key.

    Parameters
    ----------
    key : str, bytes or dict
        JSON text, or what it decodes to.

    Raises
    ------
    SerializationError
        If it is no JSON object, a field is missing, doubled or of the wrong form.
    InvalidKeyError
        If it is a key of another kind, or a private one.
    """
    fields = _fields(key)
    if not {"p", "q", "pub"}.isdisjoint(fields):
        raise InvalidKeyError("this is a private key; pass the public one (`pheutil extract` writes it)")
    return _parse_public(fields)


def parse_private_jwk(key: object) -> tuple[int, int, int]:
    """The numbers n, p and q of a private key.

    Parameters
    ----------
    key : str, bytes or dict
        JSON text, or what it decodes to.

    Raises
    ------
    SerializationError
        If it is no JSON object, a field is missing, doubled or of the wrong form.
    InvalidKeyError
        If it is a key of another kind, or a public one.
    """
    fields = _fields(key)
    if fields.keys() >= {"n"} and {"p", "q", "pub"}.isdisjoint(fields):
        raise InvalidKeyError("this is a public key; pass the private one")
    _check_kind(fields, fields.get("alg", ALGORITHM))  # phe names the algorithm in the public half alone
    for name in ("key_ops", "p", "q", "pub"):
        if name not in fields:
            raise SerializationError(f"the private key has no field {name}")
    if "decrypt" not in fields["key_ops"]:
        raise InvalidKeyError("key_ops of the private key lacks 'decrypt'")
    if not isinstance(fields["pub"], dict):
        raise SerializationError("pub of the private key must be an object: its public key")
    n = _parse_public(fields["pub"])
    return n, integer_from_base64url(fields["p"], "p"), integer_from_base64url(fields["q"], "q")


def _parse_public(fields: dict[str, Any]) -> int:
    _check_kind(fields, fields.get("alg"))
    if "n" not in fields:
        raise SerializationError("the public key has no field n")
    return integer_from_base64url(fields["n"], "n")


def _check_kind(fields: dict[str, Any], algorithm: object) -> None:
    """Check the common fields; those not known here are ignored, as RFC 7517 wants (section 4)."""
    if fields.get("kty") != KEY_TYPE:
        raise InvalidKeyError(f"kty of the key must be {KEY_TYPE!r}: this is no Paillier key")
    if algorithm != ALGORITHM:
        raise InvalidKeyError(f"alg of the key must be {ALGORITHM!r}: this is no Paillier key")
    if not isinstance(fields.get("kid", ""), str):
        raise SerializationError("kid of the key must be a string")
    operations = fields.get("key_ops", [])
    if not isinstance(operations, list) or not all(isinstance(operation, str) for operation in operations):
        raise SerializationError("key_ops of the key must be a list of strings")


def _fields(key: object) -> dict[str, Any]:
    if isinstance(key, (str, bytes)):
        key = _strict_json(key)
    if not isinstance(key, dict):
        raise SerializationError("a JSON Web Key must be a JSON object (as text or dict)")
    return key


def _strict_json(text: str | bytes) -> Any:
    if len(text) > GREATEST_TEXT:
        raise SerializationError(f"the key is longer than {GREATEST_TEXT} characters")
    unique = without_duplicates("the key has the same field twice")
    return parse_json(text, "the key is not JSON text", object_pairs_hook=unique, parse_constant=_refuse_constant)


def _refuse_constant(_: str) -> Any:
    raise SerializationError("the key holds NaN or Infinity, which are no JSON")
