"""Drop-in for phe: ``import vecphe.phe as phe``. What differs is listed in docs/phe.md."""

from vecphe.phe import command_line, encoding, paillier, util
from vecphe.phe.encoding import EncodedNumber
from vecphe.phe.paillier import (
    EncryptedNumber,
    PaillierPrivateKey,
    PaillierPrivateKeyring,
    PaillierPublicKey,
    generate_paillier_keypair,
)

__version__ = "1.5.0"  # the version of phe whose interface this is

__all__ = [
    "EncodedNumber",
    "EncryptedNumber",
    "PaillierPrivateKey",
    "PaillierPrivateKeyring",
    "PaillierPublicKey",
    "__version__",
    "command_line",
    "encoding",
    "generate_paillier_keypair",
    "paillier",
    "util",
]
