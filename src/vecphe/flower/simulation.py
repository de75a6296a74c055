"""``vecphe run --over flower``: Flower's simulation on this machine, with a home and ports of its own, and an end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from vecphe.errors import ProtocolError
from vecphe.federated import (
    LinearRegression,
    ProtocolConfig,
    ProtocolResult,
    Rows,
    get_data,
    mean_square_error,
)
from vecphe.federated.clock import PHASES
from vecphe.federated.descent import check_descent
from vecphe.flower.parties import make_run
from vecphe.flower.settings import SIMULATION
from vecphe.keys import generate_keypair
from vecphe.plaintext.encoding import Floats
from vecphe.system.lifetime import command_that_ends_with, descendants, kill

__all__ = ["Job", "environment", "flower_learning", "free_port", "run_app", "stop", "superlink"]

_START = 180.0  # seconds: a SuperLink imports for 5 to 30
_PYPROJECT = """\
[project]
name = "vecphe-run"
version = "1.0.0"
description = "The job of vecphe run"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "vecphe"

[tool.flwr.app.components]
serverapp = "vecphe_run.server:app"
clientapp = "vecphe_run.client:app"

[tool.flwr.app.config]
num-server-rounds = 1
vecphe = ""
vecphe-model = "linear"
"""


@dataclass(frozen=True)
class Job:
    """Where the rows of all hospitals come from; each takes its own shard of them.

    Attributes
    ----------
    n_clients, seed : int
    eta : float
    """

    n_clients: int
    seed: int
    eta: float

    def shards(self) -> tuple[list[Floats], list[Floats], Floats, Floats]:
        """All shards of the diabetes data, and the test rows; a party uses its own only."""
        return get_data(self.n_clients, self.seed)

    def models(self) -> list[LinearRegression]:
        """What every hospital learns with, on its own rows."""
        X, y, _, _ = self.shards()
        return [
            LinearRegression(Rows.checked(f"Hospital {i}", *own), self.eta)
            for i, own in enumerate(zip(X, y, strict=True), 1)
        ]

    def save(self, directory: Path) -> None:
        """For the processes of a simulation."""
        (directory / "job.json").write_bytes(json.dumps(asdict(self)).encode())

    @classmethod
    def load(cls) -> Job:
        """The one of the simulation that this process belongs to."""
        path = Path(os.environ[SIMULATION]) / "job.json"
        return cls(**json.loads(path.read_bytes()))


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, **more: str) -> dict[str, str]:
    """Variables for Flower's processes: a home of their own, nothing fetched, nothing reported."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process and all that it started: its group, and what Flower starts in other sessions."""
    started = descendants(process.pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    kill(started)  # which would go on writing into a directory that is being removed


@contextmanager
def superlink(home: Path, env: Mapping[str, str], *arguments: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A SuperLink on the loopback interface; it and all that it started end here, or with this process."""
    home.mkdir(exist_ok=True)
    with open(home / "superlink.log", "wb") as log:
        command = ["flower-superlink", "--host", "127.0.0.1", "--port", str(port), *arguments]
        process = subprocess.Popen(
            command_that_ends_with(os.getpid(), command), env=dict(env), stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await(process, port, home / "superlink.log")
            yield process
        finally:
            stop(process)


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise ProtocolError(f"Flower's SuperLink did not start; its log: {log.read_text(errors='replace')[-500:]}")


def run_app(
    app: Path, name: str, env: Mapping[str, str], *arguments: str, on_line: Callable[[str], object] = print
) -> int:
    """``flwr run`` with its output line by line; the exit status."""
    command = command_that_ends_with(os.getpid(), ["flwr", "run", str(app), name, "--stream", *arguments])
    with subprocess.Popen(
        command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            stream: IO[str] = process.stdout  # type: ignore[assignment]
            for line in stream:
                on_line(line.rstrip())
            return process.wait()
        finally:
            stop(process)


def flower_learning(
    job: Job, names: tuple[str, ...], config: ProtocolConfig, topology: str, on_round: Callable[[int], object]
) -> tuple[ProtocolResult, dict[str, Any]]:
    """Train over Flower's simulation.

    Parameters
    ----------
    job : Job
    names : tuple of str
        Of the hospitals.
    config : ProtocolConfig
    topology : {"ring", "star"}
    on_round : callable
        Called with the number of every finished round.

    Returns
    -------
    result : ProtocolResult
    facts : dict
        ``messages`` that Flower carried, and ``seconds_of_rounds``, waiting and transport included.

    Raises
    ------
    ProtocolError
        If the run failed, with what stopped it; or if it diverged.
    """
    with tempfile.TemporaryDirectory(prefix="vecphe-flower-", ignore_cleanup_errors=True) as temporary:
        home = Path(temporary)
        began = time.perf_counter()
        _, private_key = generate_keypair(config.key_length, insecure=config.insecure, engine=config.engine)
        keygen = time.perf_counter() - began
        own: dict[str, Any] = {"insecure": config.insecure, "max_rounds": 2 * config.n_iter}  # as the plan has
        if config.n_jobs is not None:
            own["jobs"] = config.n_jobs
        _, parties, _ = make_run(home, private_key, topology, names, **own)
        job.save(home)
        app = _write_app(home / "app")
        engine = {} if config.engine is None else {"VECPHE_ENGINE": config.engine}
        env = environment(home / "flwr", **{SIMULATION: str(home)}, **engine)
        _simulate(home, app, env, len(parties), config.n_iter, on_round)
        content = json.loads((home / "result.json").read_bytes())
    if "error" in content:
        raise ProtocolError(content["error"])
    history = np.array(content["history"])
    check_descent(job.models(), [*history], "lower eta")
    _, _, X_test, y_test = job.shards()
    error = mean_square_error(X_test @ history[-1], y_test)
    seconds = {**dict.fromkeys(PHASES, 0.0), "keygen": keygen, "encrypt": content["cryptography"]}
    result = ProtocolResult(
        mse=[error] * len(names),
        weights=np.array([history[-1]] * len(names)),
        history=history,
        n_iter=len(history),
        seconds=seconds,
        ciphertexts_per_hop=content["ciphertexts"],
        bytes_per_hop=content["bytes_per_hop"],
    )
    return result, {"messages": content["messages"], "seconds_of_rounds": content["seconds"]}


def _write_app(app: Path) -> Path:
    """A bundle that holds only calls into this package, which every party has installed."""
    (app / "vecphe_run").mkdir(parents=True)
    (app / "pyproject.toml").write_bytes(_PYPROJECT.encode())
    (app / "vecphe_run" / "__init__.py").touch()
    for side in ("server", "client"):
        text = f'from vecphe.flower.apps import {side}_app as app\n\n__all__ = ["app"]\n'
        (app / "vecphe_run" / f"{side}.py").write_bytes(text.encode())
    return app


def _simulate(
    home: Path, app: Path, env: Mapping[str, str], n_nodes: int, n_iter: int, on_round: Callable[[int], object]
) -> None:
    port, lines = free_port(), deque[str]([], 12)  # the last ones

    def watch(line: str) -> None:
        lines.append(line)
        if match := re.search(r"vecphe round (\d+)", line):
            on_round(int(match[1]))

    (home / "flwr").mkdir()
    connection = f'[superlink]\ndefault = "run"\n[superlink.run]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
    (home / "flwr" / "config.toml").write_bytes(connection.encode())
    with superlink(home / "flwr", env, "--insecure", "--simulation", port=port):
        cpus = min(n_nodes, os.cpu_count() or 1)
        nodes = f"num-supernodes={n_nodes} client-resources-num-cpus=1 init-args-num-cpus={cpus}"
        run_app(
            app, "run", env, "--run-config", f"num-server-rounds={n_iter}", "--federation-config", nodes, on_line=watch
        )
    if not (home / "result.json").exists():
        raise ProtocolError("the run over Flower failed: " + " | ".join(lines))
