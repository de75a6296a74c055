"""What an error shows of the calls that it came through, to those who log or send local variables with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from vecphe.errors import VecpheError

__all__ = ["keeps_locals"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def keeps_locals(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate what holds primes, passphrases or decrypted values: the library's errors leave without its variables.

    They say all there is to know in their text.
    """

    @wraps(function)
    def called(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except VecpheError as error:
            del args, kwargs
            raise error.with_traceback(None) from None

    return called
