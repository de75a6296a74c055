"""Runs that diverge or stand still: what is told, and when."""

import math

import numpy as np
import pytest

from vecphe.errors import ProtocolError
from vecphe.federated import LinearRegression, Rows
from vecphe.federated.descent import Growth, Stopping, check_descent


@pytest.mark.parametrize(
    ("losses", "rounds"),
    [
        ([10] * 6, 6),
        ([10, 9, 8, 7, 6, 5], 6),  # never lower by more than the tolerance
        ([10, 9.5, 8.9, 8.4, 7.9, 7.4], 6),  # than the best, however slowly that came
        ([10, 8.9, 7.8, 6.7, 5.6, 4.5, 3.4, 2.3], None),
        ([10] * 5 + [8.9] * 6, 11),
        ([10, 12, 9.5, 9.4, 9.3, 9.2], 6),
        ([10, 12, 8.9, 8.8, 8.7, 8.6, 8.5], None),
        ([10, 21, 21, 21, 21, 21], 6),  # not doubled, beside the tolerance
        ([10] * 5, None),
        ([0, 1, 1, 1, 1, 1], 6),
    ],
)
def test_a_run_is_over_after_five_rounds_without_a_better_loss(losses, rounds):
    stopping = Stopping(1.0, "lower eta")
    told = [stopping.is_over(np.array([3.0, -7.0, loss])) for loss in losses]
    assert told == [number == rounds for number in range(1, len(losses) + 1)]
    assert stopping.losses == losses


@pytest.mark.parametrize("losses", [[10, 21.01], [10, 5, 21.01], [10, 10, 30], [0, 1.01]])
def test_h50_a_loss_that_has_doubled_ends_the_run(losses):
    stopping = Stopping(1.0, "lower eta")
    for loss in losses[:-1]:
        assert not stopping.is_over(np.array([loss]))
    with pytest.raises(ProtocolError, match=r"^the mean loss has doubled, the run diverges; lower eta$"):
        stopping.is_over(np.array(losses[-1:]))


def test_without_a_tolerance_no_loss_is_looked_at():
    stopping = Stopping(None, "")
    assert [stopping.is_over(np.array([])) for _ in range(9)] == [False] * 9
    assert stopping.losses == []


def test_growth_is_that_beside_the_first_update():
    growth = Growth()
    assert not growth.has_begun
    assert not growth.is_beyond(np.array([1e300]))
    first = np.array([1.0, -3.0])
    assert growth.note(first) is first
    assert growth.has_begun
    assert growth.note(np.array([100.0])).tolist() == [100.0]
    for size, beyond in ((6.0, False), (6.01, True), (math.inf, True)):
        for sign in (1, -1):
            assert growth.is_beyond(np.array([0.0, sign * size])) is beyond
    nothing = Growth()
    nothing.note(np.array([]))
    assert nothing.has_begun
    assert nothing.is_beyond(np.array([1e-300]))


def model(X, y):
    return LinearRegression(Rows.checked("A", X, y))


LINE = ([[1.0], [2.0]], [1.0, 2.0])  # the loss is 1.25 (w - 1)^2


@pytest.mark.parametrize(
    ("before", "after", "rounds", "told"),
    [
        (1.0, 2.0, 10, "is higher after the last step"),
        (1.0, 2.0, 9, None),
        (1.0, 2.0, 300, "is higher after the last step"),
        (2.0, 1.0, 10, None),
        (1.0, 1 + 0.99e-3, 10, None),  # a millionth of the loss of zero weights
        (1.0, 1 + 1.01e-3, 10, "is higher after the last step"),
        (1.0, 1.0, 10, None),
        (0.5, 0.5, 10, "the weights did not change"),
        (0.5, 0.5, 9, None),
        (1 - 1.7e-6, 1 - 1.7e-6, 10, "the weights did not change"),  # a millionth of 2 * 2
        (1 - 1.5e-6, 1 - 1.5e-6, 10, None),
    ],
)
def test_h50_the_last_step_goes_down(before, after, rounds, told):
    """Whatever the steps before, which only a shorter run has seen."""
    history = [np.array([5.0])] * (rounds - 2) + [np.array([before]), np.array([after])]
    if told is None:
        check_descent([model(*LINE)], history, "lower eta")
        return
    with pytest.raises(ProtocolError, match=told) as caught:
        check_descent([model(*LINE)], history, "lower eta")
    assert str(caught.value) in (
        "the mean loss is higher after the last step than before it, the run diverges; lower eta",
        "the weights did not change, all gradients are below the precision; take more fraction_bits, or scale the data",
    )


def test_h50_the_loss_and_the_gradient_are_those_of_all():
    up, down = model([[1.0, 0.0]], [1.0]), model([[1.0, 0.0]], [-1.0])
    zeros, ones = [np.zeros(2)] * 10, [np.zeros(2)] * 9 + [np.array([1.0, 0.0])]
    check_descent([up, down], zeros, "")  # where their gradients cancel
    check_descent([up], ones, "")
    with pytest.raises(ProtocolError, match="is higher"):
        check_descent([up, down], ones, "")
    aslant = model([[1.0, -1.0]], [1.0])  # its gradient is as large in one weight as it is small in the other
    with pytest.raises(ProtocolError, match="did not change"):
        check_descent([aslant], zeros, "")
    assert up.weights.tolist() == [0, 0]


def test_what_is_not_known_of_a_loss_is_not_told():
    class Own(LinearRegression):
        def gradient(self):
            return super().gradient()

    check_descent([model(*LINE), Own(Rows.checked("A", *LINE))], [np.array([float(n)]) for n in range(10)], "")
