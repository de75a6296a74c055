"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TypeAlias

__all__ = ["PathLike", "check_directory", "check_writable", "is_open_to_others", "read_file", "replace_file"]

PathLike: TypeAlias = "str | os.PathLike[str]"

_PART_BYTES = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # Windows needs it for bytes as they are


def check_writable(path: PathLike, *, force: bool = False) -> None:
    """Raise now what `replace_file` would raise after the work is done.

    Raises
    ------
    FileExistsError
        If there is a file at `path` and not `force`.
    IsADirectoryError, NotADirectoryError, FileNotFoundError
        If `path` is a directory, or the directory it should go to is none.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a directory; name a file in it")
    if os.path.isfile(path) and not force:
        raise FileExistsError(f"{path} exists; pass force=True to replace it")
    if not os.path.exists(path):
        directory = os.path.dirname(os.path.realpath(path))
        if not os.path.exists(directory):
            raise FileNotFoundError(f"{directory} does not exist; create this directory first")
        if not os.path.isdir(directory):
            raise NotADirectoryError(f"{directory} is not a directory")


def is_open_to_others(path: PathLike) -> bool:
    """Whether others than its owner may read or write a regular file, where the system has such modes."""
    if os.name != "posix":
        return False
    try:
        mode = os.stat(path).st_mode
    except OSError:  # gone since it was read
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o077)


def check_directory(directory: PathLike) -> None:
    """Raise OSError now if no file can be created in a directory: create one, and remove it."""
    probe = os.path.join(directory, f".vecphe-{secrets.token_hex(8)}.tmp")
    try:
        os.close(os.open(probe, _NEW, 0o600))
    except OSError as error:
        raise OSError(error.errno, "no file can be created here", str(directory)) from None
    os.unlink(probe)


def replace_file(
    path: PathLike, data: bytes | Iterable[bytes], *, force: bool = False, private: bool = False, mode: int = 0o666
) -> None:
    """Write a file, whole or not at all: whatever fails, what was at `path` is still there.

    Parameters
    ----------
    path : str or path
        A symbolic link is followed: the file it points to is replaced. A device or pipe is written to as it is.
    data : bytes, or iterable of bytes
        Pieces are asked for as they are written; whatever making one raises ends it all.
    force : bool
        Replace a file that exists.
    private : bool
        The file can be read by its owner alone (mode 0600) from its creation, and must be a regular one.
    mode : int
        Permissions of a new file, less the umask. A file that is replaced keeps its own, unless `private`.

    Raises
    ------
    FileExistsError, OSError
        As `check_writable`, and whatever writing meets, naming `path`; no temporary file is left.
    """
    check_writable(path, force=force)
    pieces = [data] if isinstance(data, bytes) else data
    if os.path.exists(path) and not os.path.isfile(path):
        if private:
            raise OSError(errno.EINVAL, "not a regular file; a private key is only written to one", str(path))
        with _naming(path), open(path, "wb") as device:
            _write_all(device.fileno(), pieces)
        return
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    temporary = os.path.join(directory, f".vecphe-{secrets.token_hex(8)}.tmp")
    try:
        with _naming(path):
            kept = None if private else _mode_of(target)
            _write_new(temporary, pieces, 0o600 if private or kept is not None else mode, kept)
            _move(temporary, target, force)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


@contextmanager
def _naming(path: PathLike) -> Iterator[None]:
    """Name the file that the caller knows in what the system says, not a temporary one or none."""
    try:
        yield
    except OSError as error:
        if error.strerror is not None:
            error.filename, error.filename2 = os.fspath(path), None
        raise


def _mode_of(path: str) -> int | None:
    try:
        return stat.S_IMODE(os.stat(path).st_mode) & 0o777
    except FileNotFoundError:
        return None


def _write_new(path: str, pieces: Iterable[bytes], mode: int, final_mode: int | None) -> None:
    descriptor = os.open(path, _NEW, mode)
    try:
        _write_all(descriptor, pieces)
        if final_mode is not None and hasattr(os, "fchmod"):
            with suppress(PermissionError):  # a file system without modes
                os.fchmod(descriptor, final_mode)
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            os.close(descriptor)
        raise
    os.close(descriptor)  # some file systems report a full disk only here


def _write_all(descriptor: int, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _move(temporary: str, target: str, force: bool) -> None:
    if not force:
        # A link fails where the name exists, also where it came to exist since the check.
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise FileExistsError(f"{target} exists; pass force=True to replace it") from None
        except OSError:  # a file system without hard links: the check has to do
            pass
        else:
            os.unlink(temporary)
            return
    os.replace(temporary, target)


def _sync_directory(directory: str) -> None:
    """Make the new name last; where a directory cannot be opened or synced, the file itself is still whole."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot open one
        return
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _read_up_to(file: BinaryIO, most: int) -> bytes:
    """As ``file.read(most)``, which would take that much memory for any file."""
    parts = [b""]
    while part := file.read(min(most, _PART_BYTES)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def read_file(path: PathLike, most: int | None = None, check: Callable[[bytes], None] | None = None) -> bytes:
    """The bytes of a file or pipe.

    Parameters
    ----------
    path : str or path
    most : int, optional
        Refuse to read more bytes than this.
    check : callable, optional
        Gets the first bytes (some, none of an empty file) before the others are read, and raises if they are wrong.

    Raises
    ------
    OSError
        If it cannot be read, is a directory or a device, or is too long.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
            raise OSError(errno.EINVAL, "neither a file nor a pipe", str(path))
        if check is not None:
            check(file.peek())
        data = file.read() if most is None else _read_up_to(file, most + 1)
    if most is not None and len(data) > most:
        raise OSError(errno.EFBIG, f"longer than the {most} bytes that it can have", str(path))
    return data
