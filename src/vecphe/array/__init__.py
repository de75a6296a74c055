"""Arrays of ciphertexts."""

from vecphe.array.encrypted_array import EncryptedArray, concatenate
from vecphe.array.groups import group_sum

__all__ = ["EncryptedArray", "concatenate", "group_sum"]
