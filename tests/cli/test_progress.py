"""Progress on a terminal, and the word about packing."""

from __future__ import annotations

import os
import pty
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, ClassVar

import joblib
import numpy as np
import pytest

import vecphe
from vecphe import EncryptedArray, PublicKey
from vecphe.cli import progress
from vecphe.system.parallel import watched

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    private_key.save(folder / "key")
    public_key.save(folder / "key.pub")
    return str(folder / "key"), str(folder / "key.pub")


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_every_ciphertext_is_told_once(n_jobs: int, backend: str) -> None:
    public_key, private_key = vecphe.generate_keypair(256, insecure=True)
    told: list[int] = []
    with joblib.parallel_config(backend), watched(told.append):
        array = public_key.encrypt(np.arange(3000), n_jobs=n_jobs)
        assert sum(told) == 3000
        private_key.decrypt(array, n_jobs=n_jobs)
    assert sum(told) == 6000
    assert len(told) > 3 or (n_jobs, backend) == (2, "loky")
    public_key.encrypt([1, 2])
    assert sum(told) == 6000


def on_a_terminal(*args: str) -> str:
    """What the command shows there; it must succeed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "vecphe", *args, "--insecure"])
    shown = b""
    ending = threading.Timer(60, os.kill, (pid, 9))
    ending.start()
    try:
        while part := os.read(terminal, 4096):
            shown += part
    except OSError:  # the other end was closed
        pass
    ending.cancel()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    os.close(terminal)
    return shown.decode()


def test_progress_is_shown_on_a_terminal_and_nowhere_else(
    tmp_path: Path, keys: tuple[str, str], main_here: Run
) -> None:
    key, pub = keys
    np.save(tmp_path / "x.npy", np.arange(3000))
    source, encrypted, total, out = (str(tmp_path / name) for name in ("x.npy", "x.enc", "t.enc", "y.npy"))
    calls = [
        (["encrypt", source, "-k", pub, "-o", encrypted, "--unpacked"], ["encrypting"]),
        (["add", encrypted, encrypted, "-k", pub, "-o", total], ["adding", "re-randomising"]),
        (["decrypt", total, "-k", key, "-o", out], ["decrypting"]),
    ]
    for call, words in calls:
        shown = on_a_terminal(*call)
        assert all(word in shown for word in words)
        assert "3000/3000" in shown
        assert "ing" not in main_here(*call, "--insecure", "--force").stderr.replace("warning", "")
    assert np.load(out).tolist() == (2 * np.arange(3000)).tolist()


@pytest.mark.parametrize(
    ("values", "option", "told"),
    [
        (np.linspace(-1, 1, 500), [], "--packed would make 72 ciphertexts of these 500 values, about 6 times faster"),
        (np.linspace(-1, 1, 499), [], None),
        (np.linspace(-1, 1, 500), ["--unpacked"], None),
        (np.linspace(-1, 1, 500), ["--packed"], None),
        (np.linspace(0, 32768, 500), [], "--packed would make 72 "),
        (np.linspace(-70000, 1, 500), [], "--packed --max-abs 131072 would make 72 "),
        (np.arange(500), [], "--packed would make 72 "),
        (np.linspace(0, 1e60, 500), [], None),  # two in a ciphertext
        (np.linspace(0, 1e300, 500) * 0 + 2.0**63, [], "--packed --max-abs 18446744073709551616 would make 125 "),
    ],
    ids=["floats", "few", "unpacked", "packed", "largest", "beyond", "integers", "too large", "large"],
)
def test_packing_is_recommended_where_it_saves_much(
    tmp_path: Path, keys: tuple[str, str], main_here: Run, values: Any, option: list[str], told: str | None
) -> None:
    np.save(tmp_path / "x.npy", values)
    call = ["encrypt", str(tmp_path / "x.npy"), "-k", keys[1], "-o", str(tmp_path / "x.enc"), "--insecure"]
    done = main_here(*call, *option)
    if np.abs(values).max() > 2.0**64:
        assert done.returncode == 2
        return
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert len(notes) == (told is not None)
    assert told is None or told in notes[0]
    if told is not None and "--max-abs" in told:  # the line to type is true
        words = told.split(" would")[0].split()
        assert main_here(*call, "--force", *words).returncode == 0
        array = EncryptedArray.load(PublicKey.load(keys[1], insecure=True), tmp_path / "x.enc")
        assert f"would make {array.n_ciphertexts} " in told


def test_the_choice_is_explained(main_here: Run) -> None:
    text = " ".join(main_here("encrypt", "--help").stdout.replace("│", " ").split())
    assert "--packed" in text
    assert "--unpacked" in text
    assert "only be added" in text


class Bars:
    """In place of rich's progress: what was made and told."""

    made: ClassVar[list[Any]] = []

    def __init__(self, *columns: Any, console: Any, transient: bool) -> None:
        self.told: list[Any] = [[type(column).__name__ for column in columns], console.stderr, transient]
        Bars.made.append(self)

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self.told.append("done")

    def add_task(self, name: str, *, total: int) -> str:
        self.told.append((name, total))
        return "task"

    def advance(self, task: str, more: int) -> None:
        self.told.append((task, more))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_moves_by_what_it_is_told(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    monkeypatch.setattr(Bars, "made", [])
    monkeypatch.setattr("rich.progress.Progress", Bars)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    public_key, _ = vecphe.generate_keypair(256, insecure=True)
    with progress.bar("adding", 3) as advance:
        advance(1)
        advance(2)
    with progress.ciphertexts_bar("encrypting", 1000):
        public_key.encrypt(np.arange(1000), n_jobs=1)
    if not is_terminal:
        assert Bars.made == []
        return
    adding, encrypting = (made.told for made in Bars.made)
    columns = ["TextColumn", "BarColumn", "MofNCompleteColumn", "TimeRemainingColumn"]
    assert adding == [columns, True, True, ("adding", 3), ("task", 1), ("task", 2), "done"]
    assert encrypting[:4] == [columns, True, True, ("encrypting", 1000)]
    assert sum(more for _, more in encrypting[4:-1]) == 1000
