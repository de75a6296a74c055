"""Arrays of ciphertexts."""

from vecphe.array.encrypted_array import EncryptedArray, concatenate

__all__ = ["EncryptedArray", "concatenate"]
