"""Drop-in for phe: ``import vecphe.phe as phe``. What differs is listed in docs/phe.md."""

from vecphe.phe import __about__, command_line, encoding, paillier, util
from vecphe.phe.__about__ import __title__, __version__
from vecphe.phe.encoded import EncodedNumber
from vecphe.phe.paillier import (
    EncryptedNumber,
    PaillierPrivateKey,
    PaillierPrivateKeyring,
    PaillierPublicKey,
    generate_paillier_keypair,
)

__all__ = [
    "EncodedNumber",
    "EncryptedNumber",
    "PaillierPrivateKey",
    "PaillierPrivateKeyring",
    "PaillierPublicKey",
    "__about__",
    "__title__",
    "__version__",
    "command_line",
    "encoding",
    "generate_paillier_keypair",
    "paillier",
    "util",
]
