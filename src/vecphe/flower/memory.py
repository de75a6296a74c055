"""What a party must not forget, in its own SQLite file: every message may come in a new process, and more than once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from vecphe.errors import ProtocolError
from vecphe.system.files import PathLike, is_open_to_others

__all__ = ["Memory"]

_PATIENCE = 3600.0  # seconds that a repeated message waits for the first one's answer, which may train a model
_VERSION = 1
_PLACE = "run TEXT, round INTEGER, attempt INTEGER, kind TEXT"
_TABLES = (
    "CREATE TABLE runs (run TEXT PRIMARY KEY, roster TEXT, plan BLOB, "
    "round INTEGER DEFAULT 0, attempt INTEGER DEFAULT 0, ended INTEGER DEFAULT 0)",
    f"CREATE TABLE answers ({_PLACE}, request BLOB, PRIMARY KEY (run, round, attempt, kind))",
    f"CREATE TABLE parts ({_PLACE}, number INTEGER, part BLOB, PRIMARY KEY (run, round, attempt, kind, number))",
    "CREATE TABLE updates (run TEXT, round INTEGER, model TEXT, weight INTEGER, data BLOB, PRIMARY KEY (run, round))",
    "CREATE TABLE decisions (run TEXT, round INTEGER, attempt INTEGER, PRIMARY KEY (run, round))",
    "CREATE TABLE models (run TEXT PRIMARY KEY, round INTEGER, steps INTEGER, data BLOB)",
    f"PRAGMA user_version = {_VERSION}",
)


class Memory:
    """A party's memory of one run after another.

    Parameters
    ----------
    path : str or path
        A file that only its owner can read, made where there is none. Beside it stands a lock, ``path.lock``.
    run : str
        Id of the run; of others nothing is read or changed.

    Raises
    ------
    PermissionError
        If others can read or write the file.
    OSError
        If it is no such memory, or cannot be written.
    """

    def __init__(self, path: PathLike, run: str) -> None:
        self.path, self.run = Path(path), run
        for file in (self.path, self._lock_path):
            with suppress(FileExistsError):
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            if is_open_to_others(file):
                raise PermissionError(f"{file}: others can read or change this file; chmod 600 {file}")
        self._db = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA secure_delete = ON")
            if self._version() == 0:
                with self.alone():
                    self._make_tables()
        except sqlite3.Error as error:
            self.close()
            raise OSError(f"{self.path} cannot be the memory of a party: {error}") from None
        except BaseException:
            self.close()
            raise

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise ProtocolError(f"a memory of version {version}, which this vecphe does not know")
        return int(version)

    def _make_tables(self) -> None:
        if self._version() == 0:  # another process may have been faster
            with self.transaction():
                for statement in _TABLES:
                    self._db.execute(statement)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def _lock_path(self) -> Path:
        return self.path.with_name(self.path.name + ".lock")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time, until it leaves or dies: a repeat waits here for the answer that it repeats."""
        with closing(sqlite3.connect(self._lock_path, timeout=_PATIENCE, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it durably on the disk when it is left, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # of a full disk SQLite has rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    def agree(self, roster: str, plan: bytes, party: str = "") -> None:
        """Remember roster and plan of the run, and whose memory this is.

        Raises
        ------
        ProtocolError
            If others were agreed on before, or the run has ended.
        """
        with self.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO runs (run, roster, plan) VALUES (?, ?, ?)", (self.run, f"{roster} {party}", plan)
            )
            known, agreed, ended = self._db.execute(
                "SELECT roster, plan, ended FROM runs WHERE run = ?", (self.run,)
            ).fetchone()
            known, _, owner = known.partition(" ")
            if owner != party:
                raise ProtocolError("this memory is another party's; each party needs a file of its own")
            if ended:
                raise ProtocolError("this run has ended; a new one needs a new key and a new roster")
            if known != roster:
                raise ProtocolError("the roster of this run is another than before")
            if agreed != plan:
                raise ProtocolError("the plan or the public key of this run is another than before; they are fixed")

    def plan(self) -> bytes:
        """The plan that was agreed on; ProtocolError if there is none, or the run has ended."""
        row = self._db.execute("SELECT plan, ended FROM runs WHERE run = ?", (self.run,)).fetchone()
        if row is None:
            raise ProtocolError("no plan was agreed on for this run yet")
        if row[1]:
            raise ProtocolError("this run has ended; a new one needs a new key and a new roster")
        return bytes(row[0])

    def begin(self, number: int, attempt: int) -> None:
        """Take part in a round; forget what is older. ProtocolError for an attempt before the last one."""
        last, before = self._db.execute("SELECT round, attempt FROM runs WHERE run = ?", (self.run,)).fetchone()
        if number < last:
            raise ProtocolError(f"a message of round {number}, but round {last} has begun")
        if number == last and attempt < before:
            raise ProtocolError(f"a message of attempt {attempt} of round {number}, but attempt {before} has begun")
        self._db.execute("UPDATE runs SET round = ?, attempt = ? WHERE run = ?", (number, attempt, self.run))
        for table in ("answers", "parts", "updates"):
            self._db.execute(f"DELETE FROM {table} WHERE run = ? AND round < ?", (self.run, number))

    def next_attempt(self, number: int) -> int:
        """The number of a new attempt at a round, which no restart gives out again."""
        with self.transaction():
            last, attempt = self._db.execute("SELECT round, attempt FROM runs WHERE run = ?", (self.run,)).fetchone()
            attempt = attempt + 1 if number == last else 1
            self.begin(number, attempt)
        return int(attempt)

    def round_of(self, model: bytes, done: int) -> int:
        """The number of the round of a model, after those that are done: of the one that began with it, or a new one.

        Parties that have made an update for a model make none for another one in the same round.
        """
        (last,) = self._db.execute("SELECT round FROM runs WHERE run = ?", (self.run,)).fetchone()
        if last > done:
            try:
                self.answer(last, 0, "model", model)
                return int(last)
            except ProtocolError:  # of another model
                done = last
        with self.transaction():
            self.begin(done + 1, 0)
            self.keep_answer(done + 1, 0, "model", model, [])
        return int(done + 1)

    def answer(self, number: int, attempt: int, kind: str, request: bytes) -> list[bytes] | None:
        """What was answered before; None if nothing was, ProtocolError if it was another request."""
        place = (self.run, number, attempt, kind)
        row = self._db.execute(
            "SELECT request FROM answers WHERE run = ? AND round = ? AND attempt = ? AND kind = ?", place
        ).fetchone()
        if row is None:
            return None
        if row != (request,):
            raise ProtocolError(f"two different {kind} messages of attempt {attempt} of round {number}")
        rows = self._db.execute(
            "SELECT part FROM parts WHERE run = ? AND round = ? AND attempt = ? AND kind = ? ORDER BY number", place
        )
        return [bytes(part) for (part,) in rows]

    def kept_mean(self, number: int, request: bytes) -> bytes | None:
        """The mean of a round that the server kept, if it was asked for with the same request."""
        try:
            parts = self.answer(number, 0, "mean", request)
        except ProtocolError:
            return None
        return None if parts is None else parts[0]

    def keep_answer(self, number: int, attempt: int, kind: str, request: bytes, parts: Sequence[bytes]) -> None:
        """Remember an answer, for when the request is repeated."""
        place = (self.run, number, attempt, kind)
        self._db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", (*place, request))
        rows = [(*place, number, part) for number, part in enumerate(parts)]
        self._db.executemany("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)", rows)

    def update(self, number: int, model: str) -> tuple[int, bytes] | None:
        """The weight and the update that were made for a round; ProtocolError if for another model."""
        row = self._db.execute(
            "SELECT model, weight, data FROM updates WHERE run = ? AND round = ?", (self.run, number)
        ).fetchone()
        if row is None:
            return None
        if row[0] != model:
            raise ProtocolError(f"round {number} began with another model; a client answers for one a round")
        return int(row[1]), bytes(row[2])

    def keep_update(self, number: int, model: str, weight: int, data: bytes) -> None:
        """Remember the one update of a round: another attempt encrypts it anew, and does not make another."""
        self._db.execute("INSERT INTO updates VALUES (?, ?, ?, ?, ?)", (self.run, number, model, weight, data))

    @property
    def decided(self) -> int:
        """The last round of which a sum was, or was about to be, decrypted; 0 before the first."""
        (last,) = self._db.execute("SELECT MAX(round) FROM decisions WHERE run = ?", (self.run,)).fetchone()
        return last or 0

    def decide(self, number: int, attempt: int) -> None:
        """Record that a sum of a round will be decrypted; ProtocolError if one was before."""
        try:
            self._db.execute("INSERT INTO decisions VALUES (?, ?, ?)", (self.run, number, attempt))
        except sqlite3.IntegrityError:
            raise ProtocolError(f"a sum of round {number} was decrypted before; at most one is") from None

    def model(self) -> tuple[int, int, bytes] | None:
        """The round after which a model was saved, how many steps it took, and the model."""
        row = self._db.execute("SELECT round, steps, data FROM models WHERE run = ?", (self.run,)).fetchone()
        return None if row is None else (int(row[0]), int(row[1]), bytes(row[2]))

    def save_model(self, number: int, steps: int, data: bytes) -> None:
        """Replace the saved model."""
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", (self.run, number, steps, data))

    def end(self) -> None:
        """The run is over: nothing more is answered, and updates and answers are forgotten."""
        with self.transaction():
            self._db.execute("UPDATE runs SET ended = 1 WHERE run = ?", (self.run,))
            for table in ("answers", "parts", "updates"):
                self._db.execute(f"DELETE FROM {table} WHERE run = ?", (self.run,))
