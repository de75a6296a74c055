"""Public and private keys, and making them."""

from vecphe.keys.chunks import DecryptedChunks, EncryptedChunks
from vecphe.keys.generation import generate_keypair
from vecphe.keys.private_key import PrivateKey
from vecphe.keys.public_key import PublicKey

__all__ = ["DecryptedChunks", "EncryptedChunks", "PrivateKey", "PublicKey", "generate_keypair"]
