"""Files are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import io
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import vecphe
from vecphe import PrivateKey, PublicKey
from vecphe.system import files
from vecphe.system.files import check_writable, read_file, replace_file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "data"
    replace_file(path, b"one")
    assert read_file(path) == b"one"
    replace_file(str(path), b"two" * 10**6, force=True)
    assert read_file(path) == b"two" * 10**6
    assert list(tmp_path.iterdir()) == [path]


def test_h64_a_file_that_exists_is_not_replaced_without_force(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"precious")
    for refuse in (lambda: replace_file(path, b"x"), lambda: check_writable(path)):
        with pytest.raises(FileExistsError, match="force=True"):
            refuse()
    assert path.read_bytes() == b"precious"


def test_h64_nor_one_that_came_to_exist_since_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data"
    monkeypatch.setattr(files, "check_writable", lambda path, force: path.write_bytes(b"precious"))
    with pytest.raises(FileExistsError, match="force=True"):
        replace_file(path, b"x")
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    replace_file(tmp_path / "data", b"x")
    assert (tmp_path / "data").read_bytes() == b"x"
    assert len(list(tmp_path.iterdir())) == 1


def test_h63_directories_and_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, error, text in (
        (tmp_path, IsADirectoryError, "directory"),
        (tmp_path / "none" / "data", FileNotFoundError, "create"),
        (tmp_path / "file" / "data", NotADirectoryError, "not a directory"),
    ):
        with pytest.raises(error, match=text):
            check_writable(path, force=True)
        with pytest.raises(error, match=text):
            replace_file(path, b"x", force=True)


def test_links_are_followed_and_stay(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "data", tmp_path / "link"
    link.symlink_to(target)
    replace_file(link, b"one")
    assert target.read_bytes() == b"one"
    with pytest.raises(FileExistsError):
        replace_file(link, b"two")
    replace_file(link, b"two", force=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]


def test_pipes_are_written_and_read_but_take_no_private_content(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="regular"):
        replace_file(path, b"secret", private=True)
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append(read_file(path)))
    reader.start()
    replace_file(path, b"x" * 100_000)
    reader.join(timeout=30)
    assert taken == [b"x" * 100_000]
    assert path.is_fifo()


def test_devices_are_not_read() -> None:
    with pytest.raises(OSError, match="neither a file nor a pipe"):
        read_file("/dev/zero")


def test_reading_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    for most in (4, 0):
        with pytest.raises(OSError, match=f"longer than the {most} bytes"):
            read_file(path, most)
    part = files._PART_BYTES
    for size in (part, part + 1, 2 * part + 1):
        path.write_bytes(bytes(size))
        assert read_file(path, size) == bytes(size)
        with pytest.raises(OSError, match=f"longer than the {size - 1} bytes"):
            read_file(path, size - 1)


@pytest.mark.parametrize(
    ("old", "private", "first", "last"),
    [(None, True, 0o600, 0o600), (0o666, True, 0o600, 0o600), (None, False, 0o640, 0o640),
     (0o600, False, 0o600, 0o600), (0o664, False, 0o600, 0o664), (0o4755, False, 0o600, 0o755),
     (0o2755, False, 0o600, 0o755), (0o1644, False, 0o600, 0o644), (0o6711, True, 0o600, 0o600)],
)  # fmt: skip
def test_h59_the_mode_is_right_from_creation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: int | None, private: bool, first: int, last: int
) -> None:
    path = tmp_path / "data"
    if old is not None:
        path.write_bytes(b"")
        path.chmod(old)
    seen = []
    write = os.write

    def watch(descriptor: int, data: Any) -> int:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", watch)
    before = os.umask(0o000 if private else 0o027)
    try:
        replace_file(path, b"x", force=True, private=private)
    finally:
        os.umask(before)
    assert seen == [first]
    assert mode(path) == last


def test_a_failure_names_the_file_that_was_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space") as caught:
        replace_file(tmp_path / "data", b"x")
    assert caught.value.filename == str(tmp_path / "data")


def open_files() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_file_is_left_open_and_none_is_left_over(tmp_path: Path) -> None:
    before = open_files()
    for force in (False, True):
        replace_file(tmp_path / "data", [b"1", b"23"], force=force)
    files.check_directory(tmp_path)
    assert open_files() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]
    assert read_file(tmp_path / "data") == b"123"


def test_h58_the_content_lasts_before_the_name_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = list[tuple[bool, bool]](), os.fsync

    def watch(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / "data").exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    replace_file(tmp_path / "data", b"x")
    assert synced == [(False, False), (True, True)]


@pytest.mark.parametrize("most", [0, 1, 5, 6, 7])
def test_no_more_is_read_than_asked_for(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PART_BYTES", 2)
    file = io.BytesIO(b"123456")
    assert files._read_up_to(file, most) == b"123456"[:most]
    assert file.tell() == min(most, 6)


FAILURES = {"write": errno.ENOSPC, "fsync": errno.EIO, "close": errno.EDQUOT, "replace": errno.EIO}


@pytest.mark.parametrize("interrupt", [False, True], ids=["error", "ctrl-c"])
@pytest.mark.parametrize("step", FAILURES)
def test_h58_a_failure_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, interrupt: bool
) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"precious")
    error = KeyboardInterrupt() if interrupt else OSError(FAILURES[step], os.strerror(FAILURES[step]))
    original = getattr(os, step)
    calls = 0

    def fail(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if step == "write" and calls == 1:
            return original(arguments[0], arguments[1][:10])  # a short write, then no more room
        if step == "close":
            original(*arguments)
        if calls <= 2:
            raise error
        return original(*arguments)

    open_before = open_files()
    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(type(error)):
            replace_file(path, b"x" * 1000, force=True)
    assert open_files() == open_before
    assert calls
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


LIMITED = """
import resource, sys
from vecphe import PrivateKey
key = PrivateKey.load(sys.argv[1], insecure=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
try:
    key.save(sys.argv[1], force=True)
except OSError as error:
    sys.exit(error.errno)
"""


def test_h58_a_limit_on_the_size_leaves_the_old_key(tmp_path: Path, private_key: PrivateKey) -> None:
    path = tmp_path / "key"
    private_key.save(path)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", LIMITED, str(path)], check=False)
    assert done.returncode == errno.EFBIG
    assert PrivateKey.load(path, insecure=True) == private_key
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_h58_a_full_device(public_key: PublicKey) -> None:
    with pytest.raises(OSError, match="No space"):
        public_key.save("/dev/full")


SAVING = """
import os, sys
from vecphe import PrivateKey
os.umask(0)
keys = [PrivateKey.load(path, insecure=True) for path in sys.argv[2:]]
print("ready", flush=True)
while True:
    for key in keys:
        key.save(sys.argv[1], force=True)
"""


def test_h59_kill_while_a_key_is_written(
    tmp_path: Path, private_key: PrivateKey, other_keypair: tuple[PublicKey, PrivateKey]
) -> None:
    keys = [private_key, other_keypair[1]]
    sources = [tmp_path / "one", tmp_path / "two"]
    for key, source in zip(keys, sources, strict=True):
        key.save(source)
    directory = tmp_path / "target"
    directory.mkdir()
    path = directory / "key"
    private_key.save(path)
    for _ in range(5):
        arguments = [sys.executable, "-W", "ignore", "-c", SAVING, str(path), *map(str, sources)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0.005, 0.05))
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert PrivateKey.load(path, insecure=True) in keys
        assert {mode(file) for file in directory.iterdir()} == {0o600}  # what kill leaves over, too


def test_private_keys_are_saved_for_their_owner_alone(tmp_path: Path, private_key: PrivateKey) -> None:
    before = os.umask(0)
    try:
        for name in ("key", "key.json"):
            private_key.save(tmp_path / name)
            private_key.public_key.save(tmp_path / f"public-{name}")
    finally:
        os.umask(before)
    assert {file.name: mode(file) for file in tmp_path.iterdir()} == {
        "key": 0o600,
        "key.json": 0o600,
        "public-key": 0o666,
        "public-key.json": 0o666,
    }


def test_an_array_that_cannot_be_saved_stays_fresh(tmp_path: Path, public_key: PublicKey) -> None:
    path = tmp_path / "array"
    path.write_bytes(b"precious")
    c = public_key.encrypt([1.0])
    with pytest.raises(FileExistsError):
        c.save(path)
    assert (c * 1 + public_key.encrypt([1.0])).is_fresh
    assert c.is_fresh
    assert path.read_bytes() == b"precious"
    c.save(path, force=True)
    assert vecphe.EncryptedArray.load(public_key, path).shape == (1,)


WITHOUT_POSIX = """
import os, signal, sys
import joblib, numpy, sklearn.datasets, typer  # what others need is theirs to guard
for name in ("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "fchmod", "fchown", "register_at_fork", "fork",
             "sched_getaffinity", "getuid", "geteuid", "umask", "mkfifo", "uname"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGUSR1", "SIGKILL", "SIGALRM", "pthread_sigmask", "pthread_kill", "sigwait", "setitimer"):
    if hasattr(signal, name):
        delattr(signal, name)
sys.modules.update(dict.fromkeys(["resource", "fcntl", "pwd", "grp", "termios", "tty", "pty"]))
"""
USED_WITHOUT_POSIX = """
import vecphe, vecphe.federated, vecphe.phe, vecphe.cli.app, vecphe.cli.comparison, vecphe.cli.table
from vecphe import *
key, private = generate_keypair(512, insecure=True)
for force in (False, True):
    private.save("key", force=force)
    key.encrypt([1.5, 2.0]).save("c", force=force)
print(PrivateKey.load("key", insecure=True).decrypt(EncryptedArray.load(key, "c")).tolist())
from vecphe.cli import main
sys.argv = ["vecphe", "decrypt", "c", "-k", "key", "--insecure", "-o", "out.csv"]
print(main(), open("out.csv").read().split())
"""


def test_a_system_without_what_only_posix_has(tmp_path: Path) -> None:
    """As on Windows, as far as names go: nothing of these is needed to import, to compute, nor for files."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_POSIX + USED_WITHOUT_POSIX],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout == "[1.5, 2.0]\n0 ['1.5', '2.0']\n", done.stderr
