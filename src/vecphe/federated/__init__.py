"""Federated learning on encrypted gradients: parties, the ring protocol and an estimator.

Parties are honest but curious and the membership of a run is fixed; :mod:`vecphe.federated.protocol` says what
coalitions can do.
"""

from vecphe.federated.backends import NaiveBackend, PackedBackend, VectorizedBackend
from vecphe.federated.data import get_data
from vecphe.federated.estimator import FederatedLinearRegression
from vecphe.federated.interface import (
    Backend,
    DecryptionKey,
    EncryptedVector,
    EncryptionKey,
    decrypt_vector,
    encrypt_vector,
    sum_encrypted_vectors,
)
from vecphe.federated.parties import Client, Server, mean_square_error
from vecphe.federated.protocol import Message, ProtocolConfig, ProtocolResult, federated_learning, local_learning

__all__ = [
    "Backend",
    "Client",
    "DecryptionKey",
    "EncryptedVector",
    "EncryptionKey",
    "FederatedLinearRegression",
    "Message",
    "NaiveBackend",
    "PackedBackend",
    "ProtocolConfig",
    "ProtocolResult",
    "Server",
    "VectorizedBackend",
    "decrypt_vector",
    "encrypt_vector",
    "federated_learning",
    "get_data",
    "local_learning",
    "mean_square_error",
    "sum_encrypted_vectors",
]
