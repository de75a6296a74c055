"""Objects of phe itself among those of the facade: errors say which is which, and how one becomes the other."""

from __future__ import annotations

__all__ = ["name_of"]

_CONVERSIONS = {
    "PaillierPublicKey": "vecphe.phe.PaillierPublicKey(key.n)",
    "PaillierPrivateKey": "vecphe.phe.PaillierPrivateKey(public_key, key.p, key.q)",
    "EncryptedNumber": "vecphe.phe.EncryptedNumber(public_key, number.ciphertext(), number.exponent)",
    "EncodedNumber": "vecphe.phe.EncodedNumber(public_key, number.encoding, number.exponent)",
}


def name_of(value: object) -> str:
    """The type of a value for an error; of one of phe's classes also what makes the facade's object of it."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    name = f"{kind.__module__}.{kind.__qualname__}"
    conversion = _CONVERSIONS.get(kind.__name__)
    if conversion is None or kind.__module__.partition(".")[0] == "vecphe":
        return name
    return f"{name}; {conversion} makes one of it"
