"""What phe calls its Paillier module: keys, encrypted numbers, and a keyring."""

from __future__ import annotations

from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH, PrivateNumbers
from vecphe.phe.encoded import EncodedNumber
from vecphe.phe.key_generation import prime_pair
from vecphe.phe.private import PaillierPrivateKey, PaillierPrivateKeyring
from vecphe.phe.public import EncryptedNumber, PaillierPublicKey

__all__ = [
    "DEFAULT_KEYSIZE",
    "EncodedNumber",
    "EncryptedNumber",
    "PaillierPrivateKey",
    "PaillierPrivateKeyring",
    "PaillierPublicKey",
    "generate_paillier_keypair",
]

DEFAULT_KEYSIZE = DEFAULT_KEY_LENGTH


def generate_paillier_keypair(
    private_keyring: PaillierPrivateKeyring | None = None, n_length: int = DEFAULT_KEYSIZE
) -> tuple[PaillierPublicKey, PaillierPrivateKey]:
    """Make a key pair, and add the private key to a keyring if one is given.

    Parameters
    ----------
    private_keyring : PaillierPrivateKeyring, optional
    n_length : int
        Length of n in bits, from 8. Below 2048 a key protects nothing: one InsecureKeyWarning a process.

    Raises
    ------
    TypeError
        If `n_length` is no int.
    InvalidKeyError
        A ValueError, for lengths that no key can have.

    Examples
    --------
    >>> import vecphe.phe as phe
    >>> public_key, private_key = phe.generate_paillier_keypair(n_length=2048)
    >>> private_key.decrypt(public_key.encrypt(3.14) * 2 + 1)
    7.28
    """
    p, q = prime_pair(n_length)
    public_key = PaillierPublicKey(p * q)
    private_key = PaillierPrivateKey._from_numbers(public_key, PrivateNumbers(p, q))
    if private_keyring is not None:
        private_keyring.add(private_key)
    return public_key, private_key
