"""Private keys at rest under a passphrase: a key from scrypt (RFC 7914), then AES-256-GCM (NIST SP 800-38D)."""

from __future__ import annotations

import secrets
from dataclasses import replace

from vecphe.errors import SerializationError
from vecphe.serialization.frames import Kind, SealedFields, frame_head, sealed_parameters

__all__ = ["seal", "unseal"]

# 128 MiB and about half a second; OWASP's password storage cheat sheet names it first.
LOG2_N, R, P = 17, 8, 1
# What a file may ask for: 128 * r * 2^log2_n bytes, 1 GiB at most.
_LEAST_LOG2_N, _GREATEST_LOG2_N = 10, 20


def _passphrase_bytes(passphrase: str | bytes) -> bytes:
    if not isinstance(passphrase, (str, bytes)):
        raise TypeError(f"passphrase must be str or bytes, not {type(passphrase).__name__}")
    if not passphrase:
        raise ValueError("the passphrase must not be empty; pass None to store the key without one")
    try:
        return passphrase.encode() if isinstance(passphrase, str) else passphrase
    except UnicodeEncodeError:
        raised = ValueError("the passphrase cannot be encoded as UTF-8")
    raise raised  # here, so that the first error, which holds the passphrase, is no context of it


def _derive_key(passphrase: str | bytes, fields: SealedFields) -> bytes:
    # Imported here: it takes longer than all of vecphe, and few programs need it.
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    secret = _passphrase_bytes(passphrase)
    return Scrypt(salt=fields.salt, length=32, n=1 << fields.log2_n, r=fields.r, p=fields.p).derive(secret)


def _associated_data(fingerprint: str, fields: SealedFields) -> bytes:
    return frame_head(Kind.SEALED_PRIVATE_KEY, fingerprint) + sealed_parameters(fields)


def seal(body: bytes, passphrase: str | bytes, fingerprint: str) -> SealedFields:
    """Encrypt the body of a private key under a fresh salt and nonce; everything before it is authenticated."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    fields = SealedFields(LOG2_N, R, P, secrets.token_bytes(16), secrets.token_bytes(12), b"")
    key = _derive_key(passphrase, fields)
    return replace(fields, ciphertext=AESGCM(key).encrypt(fields.nonce, body, _associated_data(fingerprint, fields)))


def unseal(fields: SealedFields, passphrase: str | bytes, fingerprint: str) -> bytes:
    """The body of a private key.

    Raises
    ------
    SerializationError
        If the parameters are outside what is accepted, or the passphrase is wrong or anything was altered.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not _LEAST_LOG2_N <= fields.log2_n <= _GREATEST_LOG2_N or (fields.r, fields.p) != (R, P):
        raise SerializationError(
            f"scrypt with n = 2^{fields.log2_n}, r = {fields.r}, p = {fields.p} is not accepted; "
            f"n must be 2^{_LEAST_LOG2_N} to 2^{_GREATEST_LOG2_N}, r = {R}, p = {P}"
        )
    key = _derive_key(passphrase, fields)
    try:
        return AESGCM(key).decrypt(fields.nonce, fields.ciphertext, _associated_data(fingerprint, fields))
    except InvalidTag:
        raise SerializationError("wrong passphrase, or the file was altered") from None
