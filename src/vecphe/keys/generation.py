"""Key pairs."""

from __future__ import annotations

from vecphe.arithmetic import engine_for
from vecphe.keys.private_key import PrivateKey
from vecphe.keys.public_key import PublicKey
from vecphe.numbers.key_numbers import (
    DEFAULT_KEY_LENGTH,
    PrivateNumbers,
    PublicNumbers,
    check_key_length,
)
from vecphe.numbers.primes import random_prime_pair
from vecphe.randomness.randomizers import RandomizerScheme

__all__ = ["generate_keypair"]


def generate_keypair(
    key_length: int = DEFAULT_KEY_LENGTH,
    insecure: bool = False,
    *,
    randomizers: RandomizerScheme = "djn",
    engine: str | None = None,
) -> tuple[PublicKey, PrivateKey]:
    """Make a key pair.

    Parameters
    ----------
    key_length : int
        Length of n in bits: even, at least 2048.
    insecure : bool
        Accept (and warn about) 256 to 2046 bits, for tests and benchmarks.
    randomizers : {"djn", "djn-short", "textbook"}
    engine : str, optional
        See `PublicKey`.

    Returns
    -------
    public_key : PublicKey
    private_key : PrivateKey

    Raises
    ------
    InvalidKeyError
    EngineUnavailableError
        Before any prime is drawn.

    Examples
    --------
    >>> from vecphe import generate_keypair
    >>> public_key, private_key = generate_keypair(2048)
    >>> private_key.decrypt(public_key.encrypt([1.5, -2.25]) * 2)
    array([ 3. , -4.5])
    """
    length = check_key_length(key_length, insecure=insecure)
    engine_for(1 << (length - 1), engine)  # raises now what it would raise for the key
    p, q = random_prime_pair(length)
    public_key = PublicKey._from_numbers(PublicNumbers(p * q), randomizers, engine)
    return public_key, PrivateKey._from_numbers(public_key, PrivateNumbers(p, q))
