"""The job of `vecphe run` over Flower: the diabetes data, reported as a comparison of one."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

from vecphe.cli.comparison import Comparison, Watching
from vecphe.federated.data import Shards
from vecphe.federated.scaling import Scaling
from vecphe.flower.simulation import Job, flower_learning

__all__ = ["FlowerComparison"]

_START_SECONDS = 40.0  # of Flower's processes, where nothing else runs
# What the processes of the hospitals do not do, by its default.
_PLAIN = {"scale": "none", "l2": 0.0, "tol": None, "encoding": None, "max_abs": None, "max_terms": None}


class FlowerComparison(Comparison):
    """One run, over Flower's simulation; see `Comparison`.

    Parameters
    ----------
    topology : {"ring", "star"}
    own_data, other_backend : bool
        Whether files or another backend than packed are asked for, which is refused.
    shards : Shards
    backend : str
    facts : dict
    task : str, optional
    **config
        Options of a run, as in `ProtocolConfig`.

    Raises
    ------
    ValueError
        If Flower is not installed, or something is asked for that goes without it only.
    """

    def __init__(
        self,
        topology: str,
        own_data: bool,
        other_backend: bool,
        shards: Shards,
        backend: str,
        facts: dict[str, Any],
        task: str | None = None,
        **config: Any,
    ) -> None:
        if other_backend:
            raise ValueError(f"over Flower arrays are packed: leave out --backend {backend}")
        asked = [name for name, plain in _PLAIN.items() if config.get(name) != plain]
        if own_data or task is not None or asked:
            option = {"encoding": "fraction-bits"}.get(asked[0], asked[0].replace("_", "-")) if asked else "task"
            what = "--data" if own_data else f"--{option}"
            raise ValueError(
                f"over Flower vecphe run trains a linear model on the diabetes data, without {what}; docs/flower.md "
                "says how an app of your own is made"
            )
        if importlib.util.find_spec("flwr") is None:
            raise ValueError('--over flower needs Flower, which is not installed: pip install "vecphe[flower]"')
        super().__init__(shards, "packed", {**facts, "transport": "flower", "topology": topology}, **config)
        self._topology = topology
        self._job = Job(len(shards.names), facts["seed"], self.config.eta)

    def estimates(self) -> dict[str, float]:
        """Roughly how many seconds it will take."""
        seconds = super().estimates()
        return {**seconds, "packed": seconds["packed"] + _START_SECONDS}

    def _train_encrypted(self, watching: Watching) -> None:
        names = self.shards.names
        with watching("packed", self.config.n_iter) as advanced:
            result, facts = flower_learning(self._job, names, self.config, self._topology, advanced)
        scaling = Scaling.none(self.shards.X[0].shape[1], intercept=True)
        self.results["packed"] = replace(result, scalings=(scaling,) * len(names))
        self.facts |= facts
