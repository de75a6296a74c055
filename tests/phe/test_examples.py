"""Scripts of phe users run unchanged but for the import, and give the same numbers."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import phe
import pytest

import vecphe.phe
from vecphe.federated import NaiveBackend, federated_learning, get_data

EXAMPLES = Path(__file__).parent / "examples"
IMPORTS = {
    "household.py": ("import phe as paillier\n", "import vecphe.phe as paillier\n"),
    "federated_mean.py": ("import phe\n", "import vecphe.phe as phe\n"),
}


def run(script: Path) -> Any:
    return runpy.run_path(str(script))["main"](n_length=512)


@pytest.mark.parametrize("name", IMPORTS)
def test_the_same_numbers_with_another_import(name: str, tmp_path: Path) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    theirs, ours = IMPORTS[name]
    assert text.count("import phe") == text.count(theirs) == 1
    switched = tmp_path / name
    switched.write_text(text.replace(theirs, ours), encoding="utf-8")
    result = run(switched)
    assert result == run(EXAMPLES / name)
    assert len(result) >= 4


def test_the_examples_meet_every_kind_of_error() -> None:
    errors = run(EXAMPLES / "household.py")["errors"]
    assert errors == [["ValueError"], ["OverflowError"], ["ValueError"], ["TypeError"], ["ValueError"]]


def test_the_naive_backend_runs_on_the_facade() -> None:
    """The whole protocol, with the facade where phe was."""
    data = get_data(3)
    config = {"n_clients": 3, "key_length": 512, "n_iter": 2, "insecure": True}
    ours, theirs = (
        federated_learning(*data, config | {"backend": NaiveBackend(module)}) for module in (vecphe.phe, phe)
    )
    assert [w.tolist() for w in ours.weights] == [w.tolist() for w in theirs.weights]
    assert np.isfinite(ours.weights).all()


def test_the_naive_backend_of_the_facade_travels() -> None:
    import pickle

    backend = pickle.loads(pickle.dumps(NaiveBackend(vecphe.phe)))
    assert backend._phe is vecphe.phe
