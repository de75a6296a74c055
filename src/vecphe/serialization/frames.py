"""The binary form, specified in docs/format.md: a head, a body by its kind, a checksum. All numbers little-endian."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, NamedTuple

from vecphe.errors import SerializationError
from vecphe.numbers.key_numbers import GREATEST_KEY_LENGTH
from vecphe.serialization.fields import MAX_DIMENSIONS, ArrayFields, Number
from vecphe.system.plurals import counted

__all__ = [
    "CHECKSUM_BYTES",
    "HEAD_BYTES",
    "MAGIC",
    "Checksum",
    "Frame",
    "Kind",
    "SealedFields",
    "TruncatedError",
    "array_body",
    "array_from_body",
    "array_header",
    "build_frame",
    "checked_head",
    "frame_head",
    "frame_pieces",
    "integer_from_body",
    "open_frame",
    "primes_body",
    "primes_from_body",
    "public_body",
    "sealed_body",
    "sealed_from_body",
    "sealed_parameters",
]

MAGIC = b"\x89VECPHE\n"  # no text starts so, and a transfer that changes line ends or the top bit shows
VERSION = 1
CHECKSUM_BYTES = 16

_HEAD = struct.Struct("<8sBB16s")
HEAD_BYTES = _HEAD.size
_LENGTH = struct.Struct("<I")
_NUMBER = struct.Struct("<Bh")
_ARRAY = struct.Struct("<IBBHQIQII")
_DIMENSION = _DIVISOR = struct.Struct("<Q")
_SEALED = struct.Struct("<BBB16s12s")
_INTEGER, _PACKED, _NAMED, _DIVIDED = 1, 2, 8, 64  # flags


class Kind(IntEnum):
    """What a frame holds."""

    PUBLIC_KEY = 1
    PRIVATE_KEY = 2
    SEALED_PRIVATE_KEY = 3
    ARRAY = 4


_NAMES = {
    Kind.PUBLIC_KEY: ("a public key", "PublicKey"),
    Kind.PRIVATE_KEY: ("a private key", "PrivateKey"),
    Kind.SEALED_PRIVATE_KEY: ("a private key", "PrivateKey"),
    Kind.ARRAY: ("an encrypted array", "EncryptedArray"),
}


class Frame(NamedTuple):
    """A frame whose head and checksum are right."""

    kind: Kind
    fingerprint: str
    body: memoryview


@dataclass(frozen=True, slots=True)
class SealedFields:
    """A private key under a passphrase: the parameters of scrypt and AES-GCM, and what they gave."""

    log2_n: int
    r: int
    p: int
    salt: bytes
    nonce: bytes
    ciphertext: bytes = field(repr=False)


_MOST_AT_ONCE = 1 << 23  # bytes: signals wait for a call of SHA-256, which takes up to 0.05 s for so many


def frame_head(kind: Kind, fingerprint: str) -> bytes:
    """The first 26 bytes."""
    return _HEAD.pack(MAGIC, VERSION, kind, bytes.fromhex(fingerprint))


def build_frame(kind: Kind, fingerprint: str, *body: bytes) -> bytes:
    """Head, body and checksum."""
    return b"".join(frame_pieces(kind, fingerprint, body))


def frame_pieces(kind: Kind, fingerprint: str, body: Iterable[bytes]) -> Iterator[bytes]:
    """The same in pieces, those of the body as they come."""
    checksum = Checksum()
    yield checksum.passed(frame_head(kind, fingerprint))
    for piece in body:
        yield checksum.passed(piece)
    yield checksum.value


class Checksum:
    """The checksum of what has passed."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def passed(self, piece: bytes) -> bytes:
        """The piece itself."""
        view = memoryview(piece)
        for start in range(0, len(view), _MOST_AT_ONCE):
            self._digest.update(view[start : start + _MOST_AT_ONCE])
        return piece

    @property
    def value(self) -> bytes:
        """What a frame ends with."""
        return self._digest.digest()[:CHECKSUM_BYTES]


def _checksum(view: memoryview) -> bytes:
    checksum = Checksum()
    checksum.passed(view)  # type: ignore[arg-type]
    return checksum.value


def open_frame(data: bytes, *wanted: Kind) -> Frame:
    """Check everything that does not depend on the kind, and that the kind is one of `wanted`.

    Raises
    ------
    SerializationError
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data must be bytes, not {type(data).__name__}")
    view = memoryview(bytes(data))  # of bytes no copy
    kind, fingerprint = checked_head(view, *wanted)
    if _checksum(view[:-CHECKSUM_BYTES]) != view[-CHECKSUM_BYTES:]:
        raise SerializationError("the checksum is wrong: truncated or damaged")
    return Frame(kind, fingerprint, view[HEAD_BYTES:-CHECKSUM_BYTES])


def checked_head(view: memoryview, *wanted: Kind) -> tuple[Kind, str]:
    """Kind and fingerprint of the frame that begins so; as `open_frame`."""
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise SerializationError("not in vecphe's binary form: the magic bytes are missing")
    if len(view) < HEAD_BYTES + CHECKSUM_BYTES:
        raise SerializationError("truncated: not even a whole head")
    _, version, kind, fingerprint = _HEAD.unpack_from(view)
    if version != VERSION:
        raise SerializationError(f"version {version} of the format is unknown; this is vecphe for version {VERSION}")
    if kind not in list(Kind):
        raise SerializationError(f"kind {kind} is unknown")
    check_kind(Kind(kind), *wanted)
    return Kind(kind), fingerprint.hex()


def check_kind(kind: Kind, *wanted: Kind) -> None:
    """Raise SerializationError, naming the way out, where another kind belongs."""
    if kind not in wanted:
        found, loader = _NAMES[kind]
        raise SerializationError(f"{found} where {_NAMES[wanted[0]][0]} belongs; load it with {loader}")


class TruncatedError(SerializationError):
    """A field takes more bytes than there are, yet."""


class _Reader:
    """Takes a body apart; whatever is missing or left over is an error."""

    def __init__(self, body: memoryview) -> None:
        self._rest = body

    def take(self, length: int, name: str) -> bytes:
        if length > len(self._rest):
            # Without the length: where a private key is damaged, it may be digits of a prime.
            raise TruncatedError(f"truncated: {name} takes more bytes than are left")
        taken, self._rest = self._rest[:length], self._rest[length:]
        return bytes(taken)

    def unpack(self, layout: struct.Struct, name: str) -> tuple[Any, ...]:
        return layout.unpack(self.take(layout.size, name))

    def one(self, layout: struct.Struct, name: str) -> int:
        (value,) = self.unpack(layout, name)
        return int(value)

    def integer(self, name: str, most_bits: int) -> int:
        length = self.one(_LENGTH, f"the length of {name}")
        if length > most_bits // 8:
            raise SerializationError(f"{name} is longer than {most_bits // 8} bytes")
        return _minimal(self.take(length, name), name)

    def number(self, name: str) -> Number:
        length, exponent = self.unpack(_NUMBER, name)
        number = Number(_minimal(self.take(length, name), name) if length else 0, exponent)
        if number.mantissa % 2 == 0 and number != Number(0, 0):
            raise SerializationError(f"the mantissa of {name} must be odd")
        return number

    def names(self, name: str) -> tuple[str, ...]:
        length = self.one(_LENGTH, f"the length of {name}")
        try:
            return tuple(self.take(length, name).decode().split("\n"))
        except UnicodeDecodeError:
            raise SerializationError(f"{name} are not UTF-8") from None

    @property
    def left(self) -> memoryview:
        """What is not taken yet."""
        return self._rest

    def rest(self) -> bytes:
        return self.take(len(self._rest), "the rest")

    def finish(self) -> None:
        if len(self._rest):
            raise SerializationError(f"{counted(len(self._rest), 'byte')} too many")


def _minimal(data: bytes, name: str) -> int:
    if not data or not data[-1]:
        raise SerializationError(f"{name} must have no leading zero byte and not be empty")
    return int.from_bytes(data, "little")


def _bytes(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "little")


def _pack(layout: struct.Struct, *values: Any) -> bytes:
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise SerializationError(f"a number does not fit its field: {error}") from None


def _pack_number(number: Number) -> bytes:
    mantissa = _bytes(number.mantissa)
    return _pack(_NUMBER, len(mantissa), number.exponent) + mantissa


def _pack_integer(value: int) -> bytes:
    data = _bytes(value)
    return _pack(_LENGTH, len(data)) + data


def public_body(n: int) -> bytes:
    """Body of a public key: n."""
    return _pack_integer(n)


def integer_from_body(body: memoryview) -> int:
    """The n of a public key."""
    reader = _Reader(body)
    n = reader.integer("n", GREATEST_KEY_LENGTH)
    reader.finish()
    return n


def primes_body(p: int, q: int) -> bytes:
    """Body of a private key: p and q."""
    return _pack_integer(p) + _pack_integer(q)


def primes_from_body(body: memoryview) -> tuple[int, int]:
    """The p and q of a private key, p < q."""
    reader = _Reader(body)
    p, q = reader.integer("p", GREATEST_KEY_LENGTH // 2), reader.integer("q", GREATEST_KEY_LENGTH // 2)
    reader.finish()
    if p >= q:
        raise SerializationError("the smaller prime must come first")
    return p, q


def sealed_parameters(fields: SealedFields) -> bytes:
    """The body of a sealed key up to its ciphertext."""
    return _pack(_SEALED, fields.log2_n, fields.r, fields.p, fields.salt, fields.nonce)


def sealed_body(fields: SealedFields) -> bytes:
    """Body of a private key under a passphrase."""
    return sealed_parameters(fields) + fields.ciphertext


def sealed_from_body(body: memoryview) -> SealedFields:
    """The parts of a private key under a passphrase."""
    reader = _Reader(body)
    log2_n, r, p, salt, nonce = reader.unpack(_SEALED, "the parameters of scrypt and AES-GCM")
    return SealedFields(log2_n, r, p, salt, nonce, reader.rest())


def array_body(fields: ArrayFields) -> tuple[bytes, bytes]:
    """Body of an array: its header and its ciphertexts."""
    header = _pack(
        _ARRAY,
        fields.key_length,
        _INTEGER * fields.integer
        | _PACKED * fields.packed
        | _NAMED * bool(fields.columns)
        | _DIVIDED * (fields.divisor > 1),
        len(fields.shape),
        fields.fraction_bits,
        fields.max_terms,
        fields.scale,
        fields.terms,
        fields.width,
        fields.slots,
    )
    shape = b"".join(_pack(_DIMENSION, length) for length in fields.shape)
    divisor = _pack(_DIVISOR, fields.divisor) if fields.divisor > 1 else b""
    names = "\n".join(fields.columns).encode()
    named = _pack(_LENGTH, len(names)) + names if fields.columns else b""
    numbers = _pack_number(fields.max_abs) + _pack_number(fields.bound)
    return header + shape + numbers + divisor + named, fields.ciphertexts


def array_from_body(fingerprint: str, body: memoryview) -> ArrayFields:
    """The fields of an array, taken apart; what they mean is checked by `array_format`."""
    fields, rest = array_header(fingerprint, body)
    return replace(fields, ciphertexts=bytes(rest))


def array_header(fingerprint: str, body: memoryview) -> tuple[ArrayFields, memoryview]:
    """The fields of an array that come before its ciphertexts, and what follows them."""
    reader = _Reader(body)
    key_length, flags, dimensions, fraction_bits, max_terms, scale, terms, width, slots = reader.unpack(
        _ARRAY, "the header"
    )
    if flags & ~(_INTEGER | _PACKED | _NAMED | _DIVIDED):
        raise SerializationError(f"flags {flags:#04x} are unknown")
    if dimensions > MAX_DIMENSIONS:
        raise SerializationError(f"an array has at most {MAX_DIMENSIONS} dimensions, not {dimensions}")
    fields = ArrayFields(
        fingerprint=fingerprint,
        key_length=key_length,
        integer=bool(flags & _INTEGER),
        packed=bool(flags & _PACKED),
        shape=tuple(reader.one(_DIMENSION, "the shape") for _ in range(dimensions)),
        fraction_bits=fraction_bits,
        max_terms=max_terms,
        max_abs=reader.number("max_abs"),
        scale=scale,
        terms=terms,
        bound=reader.number("the bound"),
        width=width,
        slots=slots,
        divisor=_divisor(reader) if flags & _DIVIDED else 1,
        columns=reader.names("the names of columns") if flags & _NAMED else (),
        ciphertexts=b"",
    )
    return fields, reader.left


def _divisor(reader: _Reader) -> int:
    divisor = reader.one(_DIVISOR, "the divisor")
    if divisor < 2:
        raise SerializationError("a divisor that is written must be 2 or more")
    return divisor
