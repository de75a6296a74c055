"""Federated learning on encrypted updates: models, parties, the rules of a round, the ring and estimators.

Parties are honest but curious and the membership of a run is fixed; :mod:`vecphe.federated.protocol` says what
coalitions can do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vecphe.federated.backends import NaiveBackend, PackedBackend, VectorizedBackend
from vecphe.federated.data import get_data
from vecphe.federated.interface import (
    Backend,
    DecryptionKey,
    EncryptedVector,
    EncryptionKey,
    decrypt_vector,
    encrypt_vector,
    sum_encrypted_vectors,
)
from vecphe.federated.models import (
    CallableModel,
    GradientModel,
    LinearRegression,
    LogisticRegression,
    Model,
    Rows,
    mean_square_error,
)
from vecphe.federated.parties import Client, Party, Server
from vecphe.federated.protocol import Message, ProtocolConfig, ProtocolResult, federated_learning, local_learning
from vecphe.federated.ring import RoundDone, run_rounds
from vecphe.federated.rounds import Contribution, Ledger, RingRound, Run
from vecphe.federated.scaling import ColumnTotals, LinearForm, Scaling
from vecphe.federated.trained import TrainedModel

if TYPE_CHECKING:
    from vecphe.federated.estimator import FederatedLinearRegression, FederatedLogisticRegression

__all__ = [
    "Backend",
    "CallableModel",
    "Client",
    "ColumnTotals",
    "Contribution",
    "DecryptionKey",
    "EncryptedVector",
    "EncryptionKey",
    "FederatedLinearRegression",
    "FederatedLogisticRegression",
    "GradientModel",
    "Ledger",
    "LinearForm",
    "LinearRegression",
    "LogisticRegression",
    "Message",
    "Model",
    "NaiveBackend",
    "PackedBackend",
    "Party",
    "ProtocolConfig",
    "ProtocolResult",
    "RingRound",
    "RoundDone",
    "Rows",
    "Run",
    "Scaling",
    "Server",
    "TrainedModel",
    "VectorizedBackend",
    "decrypt_vector",
    "encrypt_vector",
    "federated_learning",
    "get_data",
    "local_learning",
    "mean_square_error",
    "run_rounds",
    "sum_encrypted_vectors",
]

_ESTIMATORS = ("FederatedLinearRegression", "FederatedLogisticRegression")


def __getattr__(name: str) -> Any:
    """Import scikit-learn when an estimator is used: its import takes longer than a round, and a hop is a process."""
    if name not in _ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("vecphe.federated.estimator"), name)


def __dir__() -> list[str]:
    return [*globals(), *_ESTIMATORS]
