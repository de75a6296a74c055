"""The job of `vecphe run` over Flower, reported as a comparison of one."""

from __future__ import annotations

import importlib.util
from typing import Any

from vecphe.cli.comparison import Comparison, Watching
from vecphe.federated import local_learning
from vecphe.federated.data import Shards
from vecphe.flower.simulation import Job, flower_learning

__all__ = ["FlowerComparison", "Job"]

_START_SECONDS = 40.0  # of Flower's processes, where nothing else runs


class FlowerComparison(Comparison):
    """One run, over Flower's simulation; see `Comparison`.

    Parameters
    ----------
    shards : Shards
    topology : {"ring", "star"}
    job : Job
        Where the processes of the hospitals take the same shards from.
    facts : dict
    **config
        Options of a run, as in `ProtocolConfig`.

    Raises
    ------
    ValueError
        If Flower is not installed.
    """

    def __init__(self, shards: Shards, topology: str, job: Job, facts: dict[str, Any], **config: Any) -> None:
        if importlib.util.find_spec("flwr") is None:
            raise ValueError('--over flower needs Flower, which is not installed: pip install "vecphe[flower]"')
        super().__init__(shards, "packed", {**facts, "transport": "flower", "topology": topology}, **config)
        self._topology, self._job = topology, job

    def estimates(self) -> dict[str, float]:
        """Roughly how many seconds it will take."""
        return {name: _START_SECONDS + seconds for name, seconds in super().estimates().items()}

    def run(self, watching: Watching) -> None:
        """Run everything."""
        s = self.shards
        self.local = local_learning(s.X, s.y, s.X_test, s.y_test, vars(self.config), names=s.names)
        with watching("packed", self.config.n_iter) as advanced:
            result, facts = flower_learning(self._job, s.names, self.config, self._topology, advanced)
        self.results["packed"] = result
        self.facts |= facts
