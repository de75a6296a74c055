"""A deployment on loopback that examples/flower-deploy.sh sets up, whose processes a test kills and starts again."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "flower-deploy.sh"


def first_of_free_ports(count: int) -> int:
    """Of neighbours that nothing listens on, below those that systems give to connections."""
    for first in random.sample(range(15_000, 30_000, count), 100):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


def environment(directory: Path, **more: str) -> dict[str, str]:
    """What the script needs: the programs of this environment, and files and ports of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    directory.mkdir(exist_ok=True)
    return {**os.environ, "PATH": path, "W": str(directory), "PORT": str(first_of_free_ports(6)), **more}


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to this: {what}"
        time.sleep(0.1)


def descendants(pid: int) -> list[int]:
    """A process and all that it has started, in whatever sessions these are."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Lines:
    """What a process prints, as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.all = process, list[str]()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.all.append(line.rstrip())

    @property
    def text(self) -> str:
        return "\n".join(self.all)

    def of(self, word: str) -> list[str]:
        """What follows a word of the app."""
        mark = f"FAULTY {word} "
        return [line.split(mark, 1)[1] for line in self.all if mark in line]

    def wait_for(self, word: str, count: int, seconds: float) -> None:
        def there() -> bool:
            assert self.process.poll() is None or len(self.of(word)) >= count, f"no {word}:\n{self.text[-3000:]}"
            return len(self.of(word)) >= count

        wait_until(there, seconds, f"{word} {count}\n{self.text[-3000:]}")

    def end(self, seconds: float) -> str:
        self.process.wait(seconds)
        self._thread.join(10)
        return self.text


class Nodes:
    """SuperLink and SuperNodes in a directory; `orders` is where the app of `faulty` looks for what it is to do."""

    def __init__(self, directory: Path, app: Path, env: dict[str, str]) -> None:
        self.directory, self.app, self.env = directory, app, env
        self.orders = directory / "orders"
        self.orders.mkdir()
        self._own: list[subprocess.Popen[bytes]] = []

    @property
    def trained(self) -> list[str]:
        """``place-step`` of every training that was begun."""
        log = self.orders / "trained"
        return log.read_text().split() if log.exists() else []

    def kill(self, number: int) -> Callable[[], None]:
        """Kill a SuperNode and all that it has started; what is returned starts it again, as it was.

        A SuperLink takes no second node with the key of one that it holds to be alive, for the minute until that has
        missed its heartbeats: so it is tried again and again, as managers of services do.
        """
        pid_file = self.directory / f"node{number}.pid"
        pid = int(pid_file.read_text())
        command = [part.decode() for part in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
        if command[:2] == ["bash", "-c"]:  # one that was killed before
            command = command[4:]
        kill_all(descendants(pid))

        def start() -> None:
            with open(self.directory / f"node{number}.log", "ab") as log:
                process = subprocess.Popen(
                    ["bash", "-c", 'until "$@"; do sleep 2; done', "node", *command],
                    cwd=self.directory, env=self.env, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
            self._own.append(process)
            pid_file.write_text(str(process.pid))

        return start

    def run(self, steps: int, settings: str = "server/settings.json", **config: float) -> Lines:
        """``flwr run``, as the documentation has it."""
        values = {"num-server-rounds": steps, **{f"vecphe-{name}": value for name, value in config.items()}}
        text = f"vecphe='{self.directory / settings}' orders='{self.orders}' "
        text += " ".join(f"{name}={value}" for name, value in values.items())
        process = subprocess.Popen(
            ["flwr", "run", str(self.app), "here", "--stream", "--run-config", text],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self._own.append(process)  # type: ignore[arg-type]
        return Lines(process)

    def kill_server(self) -> None:
        """Kill the process that runs the ServerApp, and not the SuperLink."""
        link = int((self.directory / "superlink.pid").read_text())
        apps = [p for p in descendants(link) if b"serverapp" in Path(f"/proc/{p}/cmdline").read_bytes()]
        assert apps, "no ServerApp runs"
        kill_all(apps)

    def close(self) -> None:
        for process in self._own:
            kill_all(descendants(process.pid))
            process.wait(20)


@contextmanager
def deployed(directory: Path, app: Path, topology: str) -> Iterator[Nodes]:
    """Three hospitals and, in a star, a holder: up when it is entered, and gone when it is left."""
    env = environment(directory, HOLD="1")
    process = subprocess.Popen(
        ["bash", str(SCRIPT), str(app), topology, "1", "3"], env=env, text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output = Lines(process)
    nodes = Nodes(directory, app, {**env, "FLWR_HOME": str(directory / "flwr"), **FLOWER})
    try:
        wait_until(lambda: "ready" in output.all or process.poll() is not None, 400, output.text)
        assert process.poll() is None, output.text
        yield nodes
    finally:
        nodes.close()
        process.stdin.close()  # type: ignore[union-attr]
        process.wait(60)


# What the script sets for the processes that it starts.
FLOWER = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
    "OMP_NUM_THREADS": "1",
}
