"""What `vecphe inspect` tells: the public facts about a file, never a secret."""

from __future__ import annotations

import math
from typing import Any

from vecphe.cli.streams import frame_of, is_jwk
from vecphe.errors import InvalidKeyError
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.serialization.frames import Kind, array_from_body, integer_from_body, open_frame
from vecphe.serialization.jwk import parse_private_jwk, parse_public_jwk

__all__ = ["facts_of"]


def facts_of(data: bytes) -> dict[str, Any]:
    """Facts about the content of a file, ready for JSON. No key is needed, and nothing is checked against one.

    Raises
    ------
    SerializationError, InvalidKeyError
        If it is no file of keys or arrays.
    """
    if is_jwk(data):
        return _jwk_facts(data)
    frame = open_frame(frame_of(data), *Kind)
    common = {"kind": frame.kind.name.lower().replace("_", " "), "fingerprint": frame.fingerprint}
    if frame.kind is Kind.PUBLIC_KEY:
        return {**common, "key_length": integer_from_body(frame.body).bit_length()}
    if frame.kind is not Kind.ARRAY:
        return common
    fields = array_from_body(frame.fingerprint, frame.body)
    return {
        **common,
        "key_length": fields.key_length,
        "shape": list(fields.shape),
        "values": math.prod(fields.shape),
        "packed": fields.packed,
        "slots": fields.slots if fields.packed else 1,
        "integer": fields.integer,
        "fraction_bits": fields.scale,
        "terms": fields.terms,
        **({"columns": list(fields.columns)} if fields.columns else {}),
        "ciphertext_bytes": len(fields.ciphertexts),
    }


def _jwk_facts(data: bytes) -> dict[str, Any]:
    try:
        kind, n = "public key", parse_public_jwk(data)
    except InvalidKeyError:  # perhaps a private one; if not, that is the error to tell
        kind = "private key"
        n, p, q = parse_private_jwk(data)
        if p * q != n:
            raise InvalidKeyError("p * q of the private key is not its n") from None
    return {"kind": f"{kind} (JSON Web Key)", "fingerprint": PublicNumbers(n).fingerprint, "key_length": n.bit_length()}
