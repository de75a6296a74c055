"""The commands that make keys and work with encrypted files: keygen, pubkey, encrypt, add, decrypt, inspect."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecphe.cli.data_options import Decimal, Encoding, Separator, Thousands, say
from vecphe.cli.failure import errors_in_one_line
from vecphe.cli.signals import before_workers
from vecphe.errors import LayoutMismatchError, PlaintextOverflowError, VecpheError
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH

if TYPE_CHECKING:
    from vecphe.array import EncryptedArray
    from vecphe.plaintext.encoding import FixedPoint

__all__ = ["add", "decrypt", "encrypt", "inspect", "keygen", "pubkey"]

_MANY, _MUCH = 500, 4  # values, and times fewer ciphertexts, from which on packing is worth a word
_ERRORS = (VecpheError, ValueError, OSError)

Out = Annotated[str, typer.Option("--out", "-o", help="File to write; - is the standard output.")]
PublicKeyFile = Annotated[Path, typer.Option("--key", "-k", help="File of the public key; phe's key files work too.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Allow keys below 2048 bits.")]
Jobs = Annotated[int | None, typer.Option(help="Workers; -1 is all cores.", callback=before_workers)]
EngineName = Annotated[
    str | None,
    typer.Option("--engine", help="Engine to compute with, as VECPHE_ENGINE."),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File whose first line is the passphrase; else the one that VECPHE_PASSPHRASE_FILE names."),
]


class KeyForm(str, Enum):
    """Forms of key files."""

    BINARY = "binary"
    JSON = "json"
    JWK = "jwk"


class TableForm(str, Enum):
    """Forms of files of plain numbers."""

    CSV = "csv"
    NPY = "npy"


def keygen(
    out: Annotated[str, typer.Option("--out", "-o", help="File for the private key; - is a pipe on stdout.")],
    public: Annotated[str | None, typer.Option(help="File for the public key, OUT.pub by default.")] = None,
    key_length: Annotated[int, typer.Option(help="Bits of the Paillier modulus.")] = DEFAULT_KEY_LENGTH,
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase to encrypt it with.")] = False,
    passphrase_file: PassphraseFile = None,
    form: Annotated[
        KeyForm, typer.Option(help="binary and json are vecphe's; jwk is what phe's pheutil reads, never encrypted.")
    ] = KeyForm.BINARY,
    force: Annotated[bool, typer.Option("--force", help="Replace the key files if they exist.")] = False,
    insecure: Insecure = False,
) -> None:
    """Make a key pair: a private key that only you can read, and a public one to give away."""
    from vecphe.cli.output import check_writable
    from vecphe.cli.streams import PASSPHRASE_VARIABLE, check_private_place, new_passphrase, write_private
    from vecphe.keys import generate_keypair
    from vecphe.numbers.key_numbers import check_key_length

    with errors_in_one_line(*_ERRORS):
        public_path = _public_path(out, public)
        check_key_length(key_length, insecure=insecure)
        check_private_place(out)
        for path in (out, public_path):
            check_writable(Path(path), force)
        secret = new_passphrase(passphrase, passphrase_file)
        if secret is not None and form is KeyForm.JWK:
            origin = "leave out the passphrase" if passphrase or passphrase_file else f"unset {PASSPHRASE_VARIABLE}"
            raise ValueError(f"a JSON Web Key is never encrypted; {origin}, or take another --form")
        public_key, private_key = _quietly(generate_keypair, key_length, insecure)
        write_private(out, _key_bytes(private_key, form, passphrase=secret), force)
        _write_public(public_path, _key_bytes(public_key, form), force, out)
    names = {"private key": out, "public key": public_path, "fingerprint": public_key.fingerprint}
    print("\n".join(f"{name}: {value}" for name, value in names.items()), file=sys.stderr if out == "-" else sys.stdout)


def _write_public(path: str, data: bytes, force: bool, private_path: str) -> None:
    """Write the second file of a pair; the first one is there, whatever happens."""
    from vecphe.cli.streams import write_output

    try:
        write_output(path, data, force)
    except OSError as error:
        place, file = (
            ("on the standard output", "FILE") if private_path == "-" else (f"in {private_path}", private_path)
        )
        raise ValueError(
            f"{path}: {error.strerror or error}; the private key is whole {place}, "
            f"and vecphe pubkey {file} --out PUBLIC writes its public key"
        ) from None


def pubkey(
    private: Annotated[Path, typer.Argument(metavar="PRIVATE", help="File of the private key.")],
    out: Out,
    passphrase_file: PassphraseFile = None,
    form: Annotated[KeyForm, typer.Option(help="binary and json are vecphe's; jwk is what phe's pheutil reads.")] = (
        KeyForm.BINARY
    ),
    force: Force = False,
    insecure: Insecure = False,
) -> None:
    """Write the public key of a private one. A passphrase that is needed and not in a file is asked for."""
    from vecphe.cli.output import check_writable
    from vecphe.cli.streams import load_private_key, write_output

    with errors_in_one_line(*_ERRORS):
        check_writable(Path(out), force)
        public_key = load_private_key(private, passphrase_file, insecure, "PRIVATE").public_key
        write_output(out, _key_bytes(public_key, form), force, binary=form is KeyForm.BINARY)


def _public_path(out: str, public: str | None) -> str:
    if public is None and out == "-":
        raise ValueError("the private key goes to a pipe: give --public FILE for the public one")
    path = f"{out}.pub" if public is None else public
    if path == "-" or (out != "-" and Path(path).resolve() == Path(out).resolve()):
        raise ValueError("the public key needs a file of its own: give --public FILE")
    return path


def _quietly(function: Any, *args: Any) -> Any:
    """Call without a second warning about the same key."""
    import warnings

    from vecphe.errors import InsecureKeyWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        return function(*args)


def _key_bytes(key: Any, form: KeyForm, **options: Any) -> bytes:
    if form is KeyForm.BINARY:
        return bytes(key.to_bytes(**options))
    text: str = key.to_json(**options) if form is KeyForm.JSON else key.to_jwk()
    return (text.rstrip("\n") + "\n").encode()


def encrypt(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="CSV or .npy; - is the standard input.")],
    key: PublicKeyFile,
    out: Out,
    packed: Annotated[
        bool | None,
        typer.Option(
            "--packed/--unpacked",
            help="Packed: many values a ciphertext, so many times faster and smaller; they can only be added, floats "
            "are rounded to 2^-40, and --max-abs bounds them. Unpacked, the default: one value a ciphertext, exact, "
            "which Python can also multiply by numbers, sum and index.",
        ),
    ] = None,
    max_abs: Annotated[
        float | None,
        typer.Option(
            help="Largest magnitude; what is added must have the same. With --packed 2^15, for integers 2^55."
        ),
    ] = None,
    sep: Separator = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    encoding: Encoding = None,
    jobs: Jobs = None,
    engine: EngineName = None,
    force: Force = False,
    insecure: Insecure = False,
) -> None:
    """Encrypt the numbers of a CSV or .npy file."""
    from vecphe.cli.output import check_writable
    from vecphe.cli.progress import ciphertexts_bar
    from vecphe.cli.streams import check_streams, load_public_key, read_input, write_output
    from vecphe.cli.table import check_start, check_values, mapped_values, parse_values
    from vecphe.data import ReadOptions
    from vecphe.data.problems import told_indices
    from vecphe.plaintext.format import format_for
    from vecphe.serialization import frame_with_columns

    with errors_in_one_line(*_ERRORS):
        check_streams([source])
        check_writable(Path(out), force)
        public_key = load_public_key(key, insecure, engine)
        name = _shown(source)
        options = ReadOptions(sep, decimal, encoding, thousands)
        numbers = mapped_values(source, name) or parse_values(
            read_input(source, partial(check_start, name=name, encoding=encoding)), name, options
        )
        values = numbers.values
        if numbers.skipped:
            say(f"{name}: {told_indices(range(1, numbers.skipped + 1))}")
        columns = numbers.names or ()
        if columns:
            say(f"{name}, line 1 is taken as a header")
            if len(set(columns)) < len(columns) or not all(map(str.isprintable, columns)):
                say(f"{name}: its names are not kept, for one stands twice or is not printable")
                columns = ()
        integer = values.dtype.kind != "f"
        form = _encoding(max_abs, bool(packed), integer)
        check_values(numbers, form, name)
        if packed is None and (told := _packing_hint(public_key.n, values, max_abs)):
            say(told)
        packed = bool(packed)
        how: dict[str, Any] = {"packed": packed, "encoding": form, "n_jobs": jobs}
        try:
            count = format_for(public_key.n, form, packed, integer, 1).n_ciphertexts(values.size)
            with ciphertexts_bar("encrypting", count):
                if out != "-" and not columns:  # as many bytes as it takes to encrypt a part, whatever the file has
                    public_key.encrypt_chunks(values, **how).save(out, force=force)
                    return
                array = public_key.encrypt(values, **how)
        except (PlaintextOverflowError, LayoutMismatchError):
            raise ValueError(
                f"magnitudes up to {form.max_abs} do not fit this key of {public_key.key_length} bits; "
                "give less with --max-abs, or take a longer key"
            ) from None
        write_output(out, frame_with_columns(array.to_bytes(), columns), force)


def _packing_hint(n: int, values: Any, max_abs: float | None) -> str | None:
    """What packing would save, where that is much."""
    import numpy as np

    from vecphe.plaintext.format import format_for

    if values.size < _MANY:
        return None
    integer = values.dtype.kind != "f"
    form = _encoding(max_abs, True, integer)
    option = "--packed"
    # Python's numbers: numpy's least int64 has no magnitude.
    largest = max(map(abs, np.asarray([values.min(), values.max()], dtype=values.dtype).tolist()))
    if largest > form.max_abs:
        bound = 1 << int(largest).bit_length()
        form, option = replace(form, max_abs=bound), f"--packed --max-abs {bound}"
    try:
        unpacked, packed = (
            format_for(n, each, is_packed, integer, 1).n_ciphertexts(values.size)
            for each, is_packed in ((_encoding(None, False, integer), False), (form, True))
        )
    except (PlaintextOverflowError, LayoutMismatchError):
        return None
    if unpacked < _MUCH * packed:
        return None
    return (
        f"{option} would make {packed} ciphertexts of these {unpacked} values, about {unpacked // packed} times faster "
        "and smaller, if they are only added; --unpacked ends this note"
    )


def _encoding(max_abs: float | None, packed: bool, integer: bool) -> FixedPoint:
    from vecphe.plaintext.format import checked_encoding

    encoding = checked_encoding(None, packed=packed, integer=integer)
    if max_abs is None:
        return encoding
    try:
        return replace(encoding, max_abs=max_abs)
    except ValueError:
        raise ValueError(f"--max-abs must be positive and finite, and at least 1 for integers, not {max_abs}") from None


def _shown(path: str) -> str:
    return "standard input" if path == "-" else path


def add(
    sources: Annotated[list[str], typer.Argument(metavar="FILE...", help="Encrypted files; one can be -.")],
    key: PublicKeyFile,
    out: Out,
    engine: EngineName = None,
    force: Force = False,
    insecure: Insecure = False,
) -> None:
    """Add encrypted files of one key and one shape, without decrypting them."""
    from vecphe.cli.output import check_writable
    from vecphe.cli.progress import bar, ciphertexts_bar
    from vecphe.cli.streams import check_streams, load_public_key, read_array, write_output
    from vecphe.serialization import frame_with_columns

    with errors_in_one_line(*_ERRORS):
        check_streams(sources)
        if len(sources) < 2:
            raise ValueError("give two or more encrypted files to add")
        check_writable(Path(out), force)
        public_key = load_public_key(key, insecure, engine)
        with bar("adding", len(sources)) as advance:
            total, columns = read_array(public_key, sources[0])
            advance(1)
            for source in sources[1:]:
                array, own = read_array(public_key, source)
                if own and columns and own != columns:
                    raise ValueError(f"{_shown(source)}: its columns have other names, or another order, than before")
                columns = columns or own
                if array.shape != total.shape:
                    raise ValueError(f"{_shown(source)} has shape {array.shape}, those before it {total.shape}")
                try:
                    total = total + array
                except VecpheError as error:
                    raise ValueError(f"{_shown(source)}: {_why_not(error, total, array)}") from None
                advance(1)
        with ciphertexts_bar("re-randomising", total.n_ciphertexts):
            data = frame_with_columns(total.to_bytes(), columns)
        write_output(out, data, force)


def _why_not(error: VecpheError, total: EncryptedArray, array: EncryptedArray) -> str:
    """Why encrypted files cannot be added, and how `encrypt` makes some that can."""
    if isinstance(error, PlaintextOverflowError) and total.packed:
        return (
            f"it would be one too many: packed files hold sums of {total.encoding.max_terms}; "
            "encrypt with --unpacked what is to be added more often"
        )
    if not isinstance(error, LayoutMismatchError):
        return str(error)
    if total.packed != array.packed:
        return "one is packed and the other is not; encrypt all with --packed, or all with --unpacked"
    if (not total.encoding.fraction_bits) != (not array.encoding.fraction_bits):
        return (
            "packed integers and packed floats do not add; encrypt the integers as floats, one of them with a decimal "
            "point (1.0 for 1), or all with --unpacked"
        )
    return "it was encrypted with another --max-abs; encrypt all with the same"


def decrypt(
    source: Annotated[str, typer.Argument(metavar="FILE", help="Encrypted file; - is the standard input.")],
    key: Annotated[Path, typer.Option("--key", "-k", help="File of the private key; phe's key files work too.")],
    out: Annotated[str, typer.Option("--out", "-o", help="File to write (.csv or .npy); - is stdout.")] = "-",
    form: Annotated[
        TableForm | None, typer.Option(help="What to write; else the name of OUT says it, and on stdout it is csv.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    jobs: Jobs = None,
    engine: EngineName = None,
    force: Force = False,
    insecure: Insecure = False,
) -> None:
    """Decrypt a file to CSV, with the names that its columns had, or .npy.

    A passphrase that is needed and not in a file is asked for.

    A new file can be read by you alone; one that is replaced keeps its permissions.
    """
    from vecphe.cli.output import check_writable
    from vecphe.cli.progress import ciphertexts_bar
    from vecphe.cli.streams import check_streams, is_array_file, load_private_key, naming, read_array, write_output
    from vecphe.cli.table import csv_of_values, csv_pieces, npy_of_values
    from vecphe.numbers.key_numbers import PublicNumbers
    from vecphe.serialization.stream import ArrayStream
    from vecphe.system.files import replace_file

    with errors_in_one_line(*_ERRORS):
        form = _table_form(out, form)
        check_streams([source])
        check_writable(Path(out), force)
        private_key = load_private_key(key, passphrase_file, insecure, engine=engine)
        if out != "-" and is_array_file(source):
            with naming(source), open(source, "rb") as file:
                columns = ArrayStream(PublicNumbers(private_key.public_key.n), file).columns
                file.seek(0)
                chunks = private_key.decrypt_chunks(file, n_jobs=jobs)
                with ciphertexts_bar("decrypting", chunks.n_ciphertexts):
                    if form is TableForm.NPY:
                        chunks.save(out, force=force)
                    else:
                        replace_file(out, csv_pieces(chunks, chunks.shape, columns), force=force, mode=0o600)
            return
        array, columns = read_array(private_key.public_key, source)
        with ciphertexts_bar("decrypting", array.n_ciphertexts):
            values = private_key.decrypt(array, n_jobs=jobs)
        data = csv_of_values(values, columns) if form is TableForm.CSV else npy_of_values(values)
        write_output(out, data, force, binary=form is TableForm.NPY, mode=0o600)


def _table_form(out: str, form: TableForm | None) -> TableForm:
    if form is not None:
        return form
    if out == "-":
        return TableForm.CSV
    suffix = Path(out).suffix.lower()
    if suffix not in (".csv", ".npy"):
        raise ValueError(f"{out}: name it .csv or .npy, or choose with --form")
    return TableForm(suffix[1:])


def inspect(
    source: Annotated[str, typer.Argument(metavar="FILE", help="File of a key or an array; - is the standard input.")],
) -> None:
    """Tell as JSON what a file of a key or an encrypted array holds, and of which key it is. No secret is shown."""
    import json

    from vecphe.cli.inspection import facts_of
    from vecphe.cli.streams import check_frame_start, check_streams, naming, read_input

    with errors_in_one_line(*_ERRORS):
        check_streams([source])
        data = read_input(source, partial(check_frame_start, name=_shown(source), wanted="a key or an encrypted file"))
        with naming(_shown(source)):
            facts = facts_of(data)
    print(json.dumps(facts, indent=2))
