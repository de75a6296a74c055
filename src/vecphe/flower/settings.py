"""A party's own settings: a file at the party, named in its node configuration, never anything that a run brings."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vecphe.errors import SerializationError
from vecphe.flower.plan import WEIGHTS
from vecphe.serialization.strict_text import parse_json, without_duplicates
from vecphe.system.files import PathLike, read_file

__all__ = ["NODE_CONFIG", "SIMULATION", "Settings"]

NODE_CONFIG = "vecphe"  # key of a node's configuration: the path of the party's settings
SIMULATION = "VECPHE_SIMULATION"  # variable: a directory that has those of partition 0 in 0/settings.json, and so on

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 1 << 16
_FILES = ("roster", "party", "memory", "key", "public_key")


@dataclass(frozen=True)
class Settings:
    """Files and limits of a party.

    Attributes
    ----------
    roster, party, memory : Path
        The roster; the party's private keys; its memory, which is made where there is none.
    key : Path or None
        The private Paillier key, of the holder alone. It is deleted when the run ends.
    public_key : Path or None
        The public one, for the server of a star, which does not have the other.
    models : tuple of str
        Names of models that this party takes part in; empty for all.
    weights : tuple of str
        Ways of weighting that it takes part in: "none", "encrypted", "public".
    min_clients : int
        It takes part in no roster with fewer clients; at least 3.
    max_rounds : int
        It contributes to no later round.
    jobs : int or None
        Workers for encryption and decryption, as `n_jobs` elsewhere: -1 for a core each, None for one.
    insecure : bool
        Accept keys below 2048 bits, for tests.
    bundle : str or None
        SHA-256 of the one app bundle that this party's SuperNode runs; see `vecphe.flower.supernode`.
    """

    roster: Path
    party: Path
    memory: Path
    key: Path | None = None
    public_key: Path | None = None
    models: tuple[str, ...] = ()
    weights: tuple[str, ...] = WEIGHTS
    min_clients: int = 3
    max_rounds: int = 1000
    jobs: int | None = None
    insecure: bool = False
    bundle: str | None = None

    def __post_init__(self) -> None:
        for name in ("models", "weights"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or not all(isinstance(value, str) for value in values):
                raise SerializationError(f"{name} must be a list of names")
        if not set(self.weights) <= set(WEIGHTS):
            raise SerializationError(f"weights must be some of {', '.join(WEIGHTS)}")
        for name, least in (("min_clients", 3), ("max_rounds", 1)):
            if type(getattr(self, name)) is not int or getattr(self, name) < least:
                raise SerializationError(f"{name} must be an integer of at least {least}")
        if self.jobs is not None and (type(self.jobs) is not int or self.jobs == 0):
            raise SerializationError("jobs must be an integer other than 0: how many workers, or -1 for one a core")
        if self.bundle is not None and not (isinstance(self.bundle, str) and _SHA256.fullmatch(self.bundle)):
            raise SerializationError("bundle must be 64 lower-case hexadecimal digits")
        if type(self.insecure) is not bool:
            raise SerializationError("insecure must be true or false")

    @classmethod
    def load(cls, path: PathLike) -> Settings:
        """Read a JSON file with these names as fields; paths in it start from its own directory.

        Raises
        ------
        SerializationError
            If it is not such a file; the message names the field.
        OSError
        """
        malformed = f"{path}: the settings of a party must be one JSON object"
        content = parse_json(
            read_file(path, most=_MOST_BYTES), malformed, object_pairs_hook=without_duplicates(f"{path}: a field twice")
        )
        if not isinstance(content, dict):
            raise SerializationError(malformed)
        known = [field.name for field in fields(cls)]
        for name in content:
            if name not in known:
                raise SerializationError(f"{path}: there is no setting {name!r}; they are {', '.join(known)}")
        for name in _FILES[:3]:
            if name not in content:
                raise SerializationError(f"{path}: the setting {name!r} is missing: the path of a file")
        try:
            return cls(**{name: _value(name, value, Path(path).parent) for name, value in content.items()})
        except SerializationError as error:
            raise SerializationError(f"{path}: {error}") from None


def _value(name: str, value: Any, directory: Path) -> Any:
    if name in _FILES:
        if not isinstance(value, str) or not value:
            raise SerializationError(f"{name} must be the path of a file")
        return directory / value
    return tuple(value) if isinstance(value, list) else value
