"""Runs that diverge or stand still, by what each party sees of them; one rule for each, whatever the transport.

A client sees its own updates: those of a run that ends in a minimum do not grow. Who is told the mean loss sees it
double, or no longer fall. Who has the rows of all clients, as in a comparison on one machine, looks at the last step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy

import numpy as np

from vecphe.errors import ProtocolError
from vecphe.federated.models import GradientModel
from vecphe.plaintext.encoding import Floats

__all__ = ["Growth", "Stopping", "check_descent"]

_GROWN = 2  # times its first update, from which on a client's run is one that diverges
_PATIENCE = 5  # rounds without a better loss
_FEWEST_ROUNDS = 10  # a shorter run is a try, whatever comes out
_ROUNDING = 1e-6  # of the loss of zero weights: by so much encoding and rounding may move a loss


class Growth:
    """How large a client's updates are beside its first one."""

    def __init__(self) -> None:
        self._first = math.inf

    @property
    def has_begun(self) -> bool:
        """Whether there was an update."""
        return not math.isinf(self._first)

    def note(self, update: Floats) -> Floats:
        """Keep how large the first update is; the update itself is returned."""
        if not self.has_begun:
            self._first = float(np.max(np.abs(update), initial=0.0))
        return update

    def is_beyond(self, update: Floats) -> bool:
        """Whether an update has outgrown the first: steps that lead to a minimum end at smaller gradients."""
        return float(np.max(np.abs(update))) > _GROWN * self._first


class Stopping:
    """When the mean loss has stopped improving.

    Parameters
    ----------
    tol : float or None
        By how much a loss must be lower than the best before; None where no losses are sent.
    slower : str
        What to change in a run that diverges, for errors.
    """

    def __init__(self, tol: float | None, slower: str) -> None:
        self._tol, self._slower = tol, slower
        self.losses: list[float] = []
        self._best, self._rounds = math.inf, 0

    def is_over(self, mean: Floats) -> bool:
        """Take note of the mean of a round, the loss of which is last; ProtocolError if it has doubled."""
        if self._tol is None:
            return False
        self.losses.append(float(mean[-1]))
        if self.losses[-1] > 2 * self.losses[0] + self._tol:
            raise ProtocolError(f"the mean loss has doubled, the run diverges; {self._slower}")
        self._rounds = 0 if self.losses[-1] < self._best - self._tol else self._rounds + 1
        self._best = min(self._best, self.losses[-1])
        return self._rounds >= _PATIENCE


def check_descent(models: Sequence[GradientModel], history: Sequence[Floats], slower: str) -> None:
    """Look at the last step of a run: steps short enough never go up, and what diverges ends with one that does.

    Parameters
    ----------
    models : sequence of GradientModel
        Of all clients, on their rows as they are learned from.
    history : sequence of ndarray
        The shared weights after each round.
    slower : str
        What to change in a run that diverges, for errors.

    Raises
    ------
    ProtocolError
        If the last step made the mean loss higher, or changed nothing though there is a gradient.
    """
    if len(history) < _FEWEST_ROUNDS or any(type(m).gradient is not GradientModel.gradient for m in models):
        return  # too short to tell, or of a loss that is not known
    before, after = history[-2], history[-1]
    was, now, at_first = (
        sum(float(_with(model, weights).gradient_and_loss()[1]) for model in models)
        for weights in (before, after, np.zeros_like(after))
    )
    if np.array_equal(after, before) and _are_below_precision([_with(model, after) for model in models]):
        raise ProtocolError(
            "the weights did not change, all gradients are below the precision; take more fraction_bits, or scale the "
            "data"
        )
    if now - was > _ROUNDING * at_first:
        raise ProtocolError(f"the mean loss is higher after the last step than before it, the run diverges; {slower}")


def _with(model: GradientModel, weights: Floats) -> GradientModel:
    """The same rows with other weights."""
    other = copy(model)
    other.weights = weights
    return other


def _are_below_precision(models: Sequence[GradientModel]) -> bool:
    """Whether the gradient of all counts beside their data, and is more than rounding leaves of nothing."""
    size = max(float(np.abs(model.X).max() * np.abs(model.y).max()) for model in models)
    mean = np.mean([model.gradient() for model in models], axis=0)
    return bool(np.abs(mean).max() > _ROUNDING * size)
