"""Arrays of ciphertexts."""

from vecphe.array.encrypted_array import EncryptedArray, concatenate
from vecphe.array.groups import group_sum
from vecphe.array.many import EncryptedArrays

__all__ = ["EncryptedArray", "EncryptedArrays", "concatenate", "group_sum"]
