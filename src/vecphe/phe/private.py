"""The private side: keys that decrypt, and rings of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, overload

import numpy.typing as npt
from gmpy2 import invert, powmod_sec

from vecphe.arithmetic import integers_from_words
from vecphe.array import EncryptedArray
from vecphe.errors import InvalidKeyError, InvalidPlaintextError, KeyMismatchError
from vecphe.keys import PrivateKey
from vecphe.numbers.key_numbers import PrivateNumbers, check_private_numbers
from vecphe.phe.encoded import EncodedNumber, encoding_of_base
from vecphe.phe.foreign import name_of
from vecphe.phe.public import EncryptedNumber, PaillierPublicKey
from vecphe.system.tracebacks import keeps_locals

__all__ = ["PaillierPrivateKey", "PaillierPrivateKeyring"]


class PaillierPrivateKey:
    """Decrypts.

    Parameters
    ----------
    public_key : PaillierPublicKey
    p, q : int
        Its primes, in any order.

    Attributes
    ----------
    p, q : int
        The primes, p the smaller. Secret, as all that follow.
    psquare, qsquare : int
        Their squares.
    p_inverse : int
        Inverse of p mod q.
    hp, hq : int
        ``h(p)`` and ``h(q)`` of Paillier's paper.

    Raises
    ------
    TypeError
        If `public_key` is no PaillierPublicKey.
    InvalidKeyError
        A ValueError, if p and q are not primes of equal length, too close, or do not belong to the public key.

    Examples
    --------
    >>> import vecphe.phe as phe
    >>> public_key, private_key = phe.generate_paillier_keypair(n_length=2048)
    >>> private_key.decrypt(public_key.encrypt(-2))
    -2
    """

    __slots__ = ("__dict__", "__weakref__", "_key_made", "_numbers")  # secrets are not for vars()

    @keeps_locals
    def __init__(self, public_key: PaillierPublicKey, p: int, q: int) -> None:
        if not isinstance(public_key, PaillierPublicKey):
            raise TypeError(f"public_key must be a PaillierPublicKey, not {name_of(public_key)}")
        self._adopt(public_key, check_private_numbers(public_key._numbers, p, q))

    def _adopt(self, public_key: PaillierPublicKey, numbers: PrivateNumbers) -> None:
        self.public_key = public_key
        self._numbers = numbers
        self._key_made: PrivateKey | None = None

    @classmethod
    def _from_numbers(cls, public_key: PaillierPublicKey, numbers: PrivateNumbers) -> PaillierPrivateKey:
        """Without the key rules: for keys made here."""
        key = cls.__new__(cls)
        key._adopt(public_key, numbers)
        return key

    @staticmethod
    @keeps_locals
    def from_totient(public_key: PaillierPublicKey, totient: int) -> PaillierPrivateKey:
        """Key from ``(p - 1) * (q - 1)``.

        Raises
        ------
        InvalidKeyError
            A ValueError, if it is not the totient of the public key's n.
        """
        if not isinstance(public_key, PaillierPublicKey):
            raise TypeError(f"public_key must be a PaillierPublicKey, not {name_of(public_key)}")
        if isinstance(totient, bool) or not isinstance(totient, int):
            raise TypeError(f"totient must be an int, not {type(totient).__name__}")
        # p and q are the roots of x^2 - (n - totient + 1)*x + n, if it has any.
        n = public_key.n
        total = n - totient + 1
        difference = math.isqrt(abs(total * total - 4 * n))
        p, q = (total - difference) // 2, (total + difference) // 2
        if p < 2 or p * q != n:
            raise InvalidKeyError("the totient does not belong to the public key")
        return PaillierPrivateKey(public_key, p, q)

    @property
    def _key(self) -> PrivateKey:
        """The key of the library, made when something is first decrypted."""
        if self._key_made is None:
            self._key_made = PrivateKey._from_numbers(self.public_key._key, self._numbers)
        return self._key_made

    @property
    def p(self) -> int:
        """The smaller prime. Secret."""
        return self._numbers.p

    @property
    def q(self) -> int:
        """The larger prime. Secret."""
        return self._numbers.q

    @property
    def psquare(self) -> int:
        """Square of p. Secret."""
        return self.p**2

    @property
    def qsquare(self) -> int:
        """Square of q. Secret."""
        return self.q**2

    @property
    def p_inverse(self) -> int:
        """Inverse of p mod q. Secret."""
        return int(invert(self.p, self.q))

    @property
    def hp(self) -> int:
        """Inverse of ``L(g**(p-1) mod p**2)`` mod p. Secret."""
        return self.h_function(self.p, self.psquare)

    @property
    def hq(self) -> int:
        """Inverse of ``L(g**(q-1) mod q**2)`` mod q. Secret."""
        return self.h_function(self.q, self.qsquare)

    def h_function(self, x: int, xsquare: int) -> int:
        """``L(g**(x-1) mod x**2)**-1 mod x`` for a prime factor x of n: the h of Paillier's paper."""
        return int(invert(self.l_function(int(powmod_sec(self.public_key.g, x - 1, xsquare)), x), x))

    def l_function(self, x: int, p: int) -> int:
        """``(x - 1) / p``: the L of Paillier's paper."""
        return (x - 1) // p

    def crt(self, mp: int, mq: int) -> int:
        """Integer mod n that is `mp` mod p and `mq` mod q."""
        return mp + (mq - mp) * self.p_inverse % self.q * self.p

    def __repr__(self) -> str:
        return f"<PaillierPrivateKey for {getattr(self, 'public_key', 'no key yet')!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PaillierPrivateKey) and self.public_key == other.public_key

    def __hash__(self) -> int:
        return hash((PaillierPrivateKey, self.public_key))

    def __copy__(self) -> PaillierPrivateKey:
        return self  # within the process there is no need for another

    def __deepcopy__(self, memo: Any) -> PaillierPrivateKey:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a private key refuses to be pickled: it stays in the process that made it. To store it, use "
            "vecphe.PrivateKey.from_phe(key).save(path) or .to_jwk(); to decrypt on several cores, "
            "vecphe.PrivateKey.from_phe(key).decrypt(array, n_jobs=-1)"
        )

    @keeps_locals
    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a pickle that phe made, under its name for this module; its numbers are examined as any."""
        extra = {name: value for name, value in state.items() if not hasattr(PaillierPrivateKey, name)}
        PaillierPrivateKey.__init__(self, state["public_key"], state["p"], state["q"])
        vars(self).update(extra)

    @overload
    def decrypt(self, encrypted_number: EncryptedNumber) -> int | float: ...

    @overload
    def decrypt(self, encrypted_number: EncryptedArray) -> npt.NDArray[Any]: ...

    def decrypt(self, encrypted_number: EncryptedNumber | EncryptedArray) -> int | float | npt.NDArray[Any]:
        """Decrypt and decode.

        Parameters
        ----------
        encrypted_number : EncryptedNumber or EncryptedArray

        Returns
        -------
        int or float
            An int where the exponent is not negative, else a float. An ndarray for an EncryptedArray.

        Raises
        ------
        TypeError
            If it is neither.
        KeyMismatchError, InvalidCiphertextError
            ValueErrors, if it belongs to another key, or is no ciphertext at all.
        OverflowError
            If a sum or product was too large for the key.
        """
        if isinstance(encrypted_number, EncryptedArray):
            return self._key.decrypt(encrypted_number)
        return self.decrypt_encoded(encrypted_number).decode()

    @keeps_locals
    def decrypt_encoded(
        self,
        encrypted_number: EncryptedNumber,
        Encoding: type[EncodedNumber] | None = None,  # noqa: N803 - phe's name
    ) -> EncodedNumber:
        """Decrypt to the encoded number, of class `Encoding` if one is given.

        Raises
        ------
        TypeError, KeyMismatchError, InvalidCiphertextError
            As `decrypt`.
        InvalidPlaintextError
            A ValueError, if the number is known to have another base than `Encoding`.
        """
        if not isinstance(encrypted_number, EncryptedNumber):
            raise TypeError(f"decrypt takes an EncryptedNumber, not {name_of(encrypted_number)}")
        if encrypted_number.public_key != self.public_key:
            raise KeyMismatchError("the number belongs to another key; decrypt it with the private key it was made for")
        base = encrypted_number._known_base()
        if Encoding is None:
            Encoding = encoding_of_base(base)  # noqa: N806 - phe's name
        elif base not in (None, Encoding.BASE):
            raise InvalidPlaintextError(
                f"the number has base {base}, and Encoding base {Encoding.BASE}; pass the class it was encoded with"
            )
        residue = self.public_key._taken(encrypted_number._unchecked(), encrypted_number.public_key)
        encoding = self._decrypted(residue)
        return Encoding(self.public_key, encoding, encrypted_number.exponent)

    @keeps_locals
    def raw_decrypt(self, ciphertext: int) -> int:
        """Plaintext of a ciphertext, in [0, n).

        Raises
        ------
        TypeError
            If it is no int.
        InvalidCiphertextError
            If it is no ciphertext of this key.
        """
        if isinstance(ciphertext, bool) or not isinstance(ciphertext, int):
            raise TypeError(f"ciphertext must be an int, not {type(ciphertext).__name__}")
        return self._decrypted(self.public_key._ring.load([ciphertext]))

    def _decrypted(self, residue: Any) -> int:
        words = self._key._decryptor.decrypt(self.public_key._ring, residue, 0)
        (plaintext,) = integers_from_words(words)
        return int(plaintext)


class PaillierPrivateKeyring(Mapping[PaillierPublicKey, PaillierPrivateKey]):
    """Private keys by their public keys; decrypts what was encrypted for any of them.

    Parameters
    ----------
    private_keys : iterable of PaillierPrivateKey, optional
        To start with.

    Examples
    --------
    >>> import vecphe.phe as phe
    >>> public_key, private_key = phe.generate_paillier_keypair(n_length=2048)
    >>> keyring = phe.PaillierPrivateKeyring([private_key])
    >>> keyring.decrypt(public_key.encrypt(5))
    5
    """

    def __init__(self, private_keys: Iterable[PaillierPrivateKey] | None = None) -> None:
        self.__keyring: dict[PaillierPublicKey, PaillierPrivateKey] = {}
        for private_key in private_keys or ():
            self.add(private_key)

    def __getitem__(self, key: PaillierPublicKey) -> PaillierPrivateKey:
        return self.__keyring[key]

    def __len__(self) -> int:
        return len(self.__keyring)

    def __iter__(self) -> Iterator[PaillierPublicKey]:
        return iter(self.__keyring)

    def __delitem__(self, public_key: PaillierPublicKey) -> None:
        del self.__keyring[public_key]

    def add(self, private_key: PaillierPrivateKey) -> None:
        """Add a key.

        Raises
        ------
        TypeError
            If it is no private key.
        """
        if not isinstance(private_key, PaillierPrivateKey):
            raise TypeError(f"private_key must be a PaillierPrivateKey, not {name_of(private_key)}")
        self.__keyring[private_key.public_key] = private_key

    @overload
    def decrypt(self, encrypted_number: EncryptedNumber) -> int | float: ...

    @overload
    def decrypt(self, encrypted_number: EncryptedArray) -> npt.NDArray[Any]: ...

    def decrypt(self, encrypted_number: EncryptedNumber | EncryptedArray) -> int | float | npt.NDArray[Any]:
        """Decrypt with the key it was encrypted for; otherwise as `PaillierPrivateKey.decrypt`.

        Raises
        ------
        KeyError
            If that key is not on the ring.
        """
        if isinstance(encrypted_number, EncryptedArray):
            return self.__keyring[PaillierPublicKey(encrypted_number.public_key.n)].decrypt(encrypted_number)
        if not isinstance(encrypted_number, EncryptedNumber):
            raise TypeError(f"decrypt takes an EncryptedNumber, not {name_of(encrypted_number)}")
        return self.__keyring[encrypted_number.public_key].decrypt(encrypted_number)
