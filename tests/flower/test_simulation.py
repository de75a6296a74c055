"""The job of `vecphe run` over Flower, with programs in the place of Flower's: what is asked of them, and told."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vecphe.errors import ProtocolError
from vecphe.federated import ProtocolConfig, ProtocolResult, get_data
from vecphe.flower import simulation
from vecphe.flower.simulation import Job, flower_learning

NAMES = ("A", "B", "C")
JOB = Job(n_clients=3, seed=42, eta=1.5)
CONFIG = ProtocolConfig(key_length=512, n_iter=3, insecure=True)

# It says what it was asked, and listens until it is ended.
SUPERLINK = """\
import json, os, pathlib, socket, sys, time
pathlib.Path(os.environ["TOLD"], "superlink").write_text(json.dumps([os.getpid(), *sys.argv[1:]]))
listening = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
time.sleep(100)
"""

# It says what it was asked and found, and writes the result of a run of three rounds.
FLWR = """\
import json, os, pathlib, sys
home, told, app = pathlib.Path(os.environ["VECPHE_SIMULATION"]), pathlib.Path(os.environ["TOLD"]), sys.argv[2]
told.joinpath("flwr").write_text(json.dumps(sys.argv[1:]))
told.joinpath("env").write_text(json.dumps(dict(os.environ)))
told.joinpath("job").write_text(home.joinpath("job.json").read_text())
told.joinpath("home").write_text(str(home))
files = {str(p.relative_to(app)): p.read_text() for p in pathlib.Path(app).rglob("*") if p.is_file()}
told.joinpath("app").write_text(json.dumps(files))
told.joinpath("settings").write_text(json.dumps(sorted(p.parent.name for p in home.glob("*/settings.json"))))
told.joinpath("config").write_text(home.joinpath("flwr", "config.toml").read_text())
told.joinpath("modes").write_text(json.dumps(sorted({p.stat().st_mode & 0o77 for p in home.glob("*/key")})))
print("starting", file=sys.stderr)
for number in (1, 2, 3):
    print(f"vecphe round {number}")
result = {"history": [[0.0] * 11, [2.0] * 11, [float(i) for i in range(11)]], "messages": 26, "bytes_per_hop": 666}
result |= {"seconds": 1.5, "cryptography": 0.25, "ciphertexts": 7}
if "FAILS" not in os.environ:
    home.joinpath("result.json").write_text(json.dumps(result))
else:
    print(*(f"line {number}" for number in range(50)), sep="\\n")
"""


class Played:
    """Directory where the programs leave what they were told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, name: str) -> Any:
        return json.loads(self.text(name))

    def text(self, name: str) -> str:
        return (self._directory / name).read_text()


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    """Programs that stand beside the interpreter, as Flower's do."""
    programs, told = tmp_path / "bin", tmp_path / "told"
    programs.mkdir()
    told.mkdir()
    for name, text in (("flower-superlink", SUPERLINK), ("flwr", FLWR)):
        (programs / name).write_text(f"#!{sys.executable}\n{text}")
        (programs / name).chmod(0o700)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setenv("TOLD", str(told))
    return Played(told)


def learn(topology: str = "ring", rounds: list[int] | None = None) -> tuple[ProtocolResult, dict[str, Any]]:
    return flower_learning(JOB, NAMES, CONFIG, topology, (rounds if rounds is not None else []).append)


def test_the_result_is_what_the_run_wrote(played: Played) -> None:
    rounds: list[int] = []
    result, facts = learn(rounds=rounds)
    assert rounds == [1, 2, 3]
    _, _, X_test, y_test = get_data(3, 42)
    last = np.arange(11.0)
    np.testing.assert_allclose(result.mse, [np.mean((X_test @ last - y_test) ** 2)] * 3)
    assert result.weights.tolist() == [last.tolist()] * 3
    assert result.history.tolist() == [[0.0] * 11, [2.0] * 11, last.tolist()]
    assert (result.n_iter, result.ciphertexts_per_hop, result.bytes_per_hop) == (3, 7, 666)
    assert 0 < result.seconds.pop("keygen") < 100
    assert {phase: second for phase, second in result.seconds.items() if second} == {"encrypt": 0.25}
    assert result.seconds.keys() >= {"add", "decrypt"}
    assert facts == {"messages": 26, "seconds_of_rounds": 1.5}


@pytest.mark.parametrize(("topology", "nodes"), [("ring", 3), ("star", 4)])
def test_what_flower_is_asked(played: Played, topology: str, nodes: int) -> None:
    learn(topology)
    process, *asked = played["superlink"]
    port = asked[asked.index("--port") + 1]
    assert asked == ["--host", "127.0.0.1", "--port", port, "--insecure", "--simulation"]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    command, _, *rest = played["flwr"]
    cpus = min(nodes, os.cpu_count() or 1)
    of_nodes = f"num-supernodes={nodes} client-resources-num-cpus=1 init-args-num-cpus={cpus}"
    assert (command, rest) == (
        "run",
        ["run", "--stream", "--run-config", "num-server-rounds=3", "--federation-config", of_nodes],
    )
    assert f'address = "127.0.0.1:{port}"' in played.text("config")
    assert Job(**played["job"]) == JOB
    assert played["settings"] == [*map(str, range(nodes)), "server"]


def test_h67_nothing_is_left_and_nothing_leaves_the_machine(played: Played) -> None:
    learn()
    assert not Path(played.text("home")).exists()
    assert played["modes"] == [0]
    env = played["env"]
    assert Path(env["FLWR_HOME"]).is_relative_to(played.text("home"))
    switched_off = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    assert env.items() >= {**switched_off, "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1"}.items()
    assert env.get("VECPHE_ENGINE") == os.environ.get("VECPHE_ENGINE")


def test_the_engine_is_that_of_all_processes(played: Played) -> None:
    flower_learning(JOB, NAMES, ProtocolConfig(key_length=512, n_iter=3, insecure=True, engine="gmp"), "ring", print)
    assert played["env"]["VECPHE_ENGINE"] == "gmp"


def test_the_bundle_calls_what_is_installed(played: Played) -> None:
    learn()
    files = played["app"]
    named = re.findall(r'(?:server|client)app = "(\w+)\.(\w+):(\w+)"', files["pyproject.toml"])
    assert len(named) == 2
    for package, module, name in named:
        assert f"{package}/__init__.py" in files
        assert f"from vecphe.flower.apps import {module}_app as {name}" in files[f"{package}/{module}.py"]


def test_a_run_without_a_result_is_told_with_its_last_lines(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "1")
    with pytest.raises(ProtocolError, match=r"^the run over Flower failed: line 38 \| line 39 .* \| line 49$"):
        learn()
    assert not Path(played.text("home")).exists()


def test_a_superlink_that_ends_is_told_with_its_log(played: Played, tmp_path: Path) -> None:
    (tmp_path / "bin" / "flower-superlink").write_text(f"#!{sys.base_prefix}/bin/python3\nraise SystemExit('no port')")
    with pytest.raises(ProtocolError, match=r"SuperLink did not start; its log: no port"):
        learn()


def test_a_superlink_that_never_listens_is_waited_for_as_long_as_one_may_take(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 60 <= simulation._START <= 600
    monkeypatch.setattr(simulation, "_START", 0.5)
    link = tmp_path / "bin" / "flower-superlink"
    link.write_text(re.sub("listening = .*", "", link.read_text()))
    with pytest.raises(ProtocolError, match="did not start"):
        learn()
    with pytest.raises(ProcessLookupError):
        os.kill(played["superlink"][0], 0)


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", simulation.free_port()))
    assert simulation.free_port() > 1023


def test_hospitals_are_counted_from_1(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    checked = simulation.Rows.checked
    monkeypatch.setattr(simulation.Rows, "checked", lambda name, *rows: names.append(name) or checked(name, *rows))
    JOB.models()
    assert names == ["Hospital 1", "Hospital 2", "Hospital 3"]


# What each part does with processes, with these played


class Process:
    """A process that ends after so many signals, and lets the clock run while it is waited for."""

    pid = 4711

    def __init__(self, told: list[Any], lasts: int = 0, output: tuple[str, ...] = ()) -> None:
        self._told, self._lasts, self.stdout = told, lasts, iter(output)

    def wait(self, timeout: float | None = None) -> int:
        self._told.append(("wait", timeout))
        if timeout is not None and self._lasts > 0:
            raise subprocess.TimeoutExpired("it", timeout)
        return 3

    def poll(self) -> int | None:
        self._lasts -= 1
        return None if self._lasts >= 0 else 1

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self._told.append("left")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is done to processes, in its order."""
    told: list[Any] = []
    monkeypatch.setattr(simulation, "descendants", lambda pid: told.append(("below", pid)) or ["these"])
    monkeypatch.setattr(simulation, "kill", lambda found: told.append(("kill", found)))
    monkeypatch.setattr(simulation, "command_that_ends_with", lambda pid, command: [pid, *command])
    return told


@pytest.mark.parametrize(("lasts", "gone"), [(0, False), (1, False), (0, True)])
def test_h70_a_process_ends_with_all_that_it_started(
    told: list[Any], monkeypatch: pytest.MonkeyPatch, lasts: int, gone: bool
) -> None:
    process = Process(told, lasts)

    def killpg(pid: int, number: int) -> None:
        told.append((pid, number))
        process._lasts -= number == signal.SIGKILL
        if gone:
            raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", killpg)
    simulation.stop(process)  # type: ignore[arg-type]
    term, kill, wait = (4711, signal.SIGTERM), (4711, signal.SIGKILL), ("wait", 20)
    again = [kill, wait] if lasts else []
    assert told == [("below", 4711), term, wait, *again, kill, ("kill", ["these"])]


def test_a_superlink_is_a_session_of_its_own_with_a_log(
    told: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(told)

    def start(command: list[Any], **how: Any) -> Process:
        told.append((command, {name: getattr(value, "name", value) for name, value in how.items()}))
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(simulation, "_await", lambda *waited: told.append(waited))
    monkeypatch.setattr(simulation, "stop", lambda stopped: told.append(("stop", stopped)))
    home = tmp_path / "home"
    log = home / "superlink.log"
    command = [os.getpid(), "flower-superlink", "--host", "127.0.0.1", "--port", "77", "--simulation", "--insecure"]
    how = {"env": {"A": "1"}, "stdout": str(log), "stderr": str(log), "start_new_session": True}
    for _ in range(2):  # where there is a home, too
        told.clear()
        with suppress(KeyError), simulation.superlink(home, {"A": "1"}, *command[-2:], port=77) as found:
            assert found is process
            raise KeyError
        assert told == [(command, how), (process, 77, log), ("stop", process)]


@pytest.mark.parametrize(
    ("polls", "listens", "waits"),
    [(100, 0, 0), (100, 1, 1), (1, 9, 1), (100, 10_000, 2)],
    ids=["at once", "later", "it has ended", "too late"],
)
def test_a_superlink_is_waited_for_until_it_listens(
    told: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polls: int, listens: int, waits: int
) -> None:
    now, slept, asked = [0.0], list[float](), list[Any]()

    def connect(address: Any, timeout: float) -> Any:
        asked.append((address, timeout))
        if len(asked) <= listens:
            raise ConnectionRefusedError
        return nullcontext()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(simulation, "_START", 0.4)
    monkeypatch.setattr(simulation, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    monkeypatch.setattr(socket, "create_connection", connect)
    log = tmp_path / "log"
    log.write_bytes(b"first" + b"x" * 498 + b"\xff.")
    process: Any = Process(told, polls)
    if listens < min(polls, 2):
        simulation._await(process, 77, log)
    else:
        with pytest.raises(ProtocolError) as refused:
            simulation._await(process, 77, log)
        assert str(refused.value) == f"Flower's SuperLink did not start; its log: {'x' * 498}\ufffd."
    assert slept == [0.2] * waits
    assert set(asked) == {(("127.0.0.1", 77), 1)}


def test_a_run_tells_line_by_line_what_it_says(told: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def start(command: list[Any], **how: Any) -> Process:
        told.append((command, how))
        return Process(told, output=("one  \n", "two\n"))

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(simulation, "stop", lambda process: told.append("stop"))
    assert simulation.run_app(Path("app"), "name", {"A": "1"}, "--more", on_line=told.append) == 3
    how = {"env": {"A": "1"}, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = [os.getpid(), "flwr", "run", "app", "name", "--stream", "--more"]
    assert told == [
        (command, {**how, "start_new_session": True}), "one", "two", ("wait", None), "stop", "left",
    ]  # fmt: skip


def test_the_variables_of_flower_s_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": "/usr/bin", "A": "1", "FLWR_HOME": "elsewhere"})
    monkeypatch.setattr(sys, "executable", "/env/bin/python")
    expected = {
        "PATH": f"/env/bin{os.pathsep}/usr/bin",
        "A": "1",
        "FLWR_HOME": "/home",
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
    }
    assert simulation.environment(Path("/home")) == expected
    assert simulation.environment(Path("/home"), A="2", B="3") == {**expected, "A": "2", "B": "3"}


def test_a_job_is_what_every_process_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    JOB.save(tmp_path)
    monkeypatch.setenv("VECPHE_SIMULATION", str(tmp_path))
    assert Job.load() == JOB
    X, y, X_test, y_test = get_data(3, 42)
    shards = JOB.shards()
    assert [[part.tolist() for part in parts] for parts in shards[:2]] == [
        [part.tolist() for part in parts] for parts in (X, y)
    ]
    assert (shards[2].tolist(), shards[3].tolist()) == (X_test.tolist(), y_test.tolist())
    models = JOB.models()
    assert [(model.eta, len(model.y)) for model in models] == [(1.5, len(part)) for part in y]


def test_files_of_a_run_are_somewhere_and_are_gone_whatever_still_writes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    made, keys = simulation.tempfile.TemporaryDirectory, simulation.generate_keypair
    monkeypatch.setattr(simulation.tempfile, "TemporaryDirectory", lambda **how: asked.append(how) or made(**how))
    monkeypatch.setattr(simulation, "generate_keypair", lambda *of, **how: asked.append((of, how)) or keys(*of, **how))

    def simulate(home: Path, *_: Any) -> None:
        (home / "result.json").write_text('{"error": "because"}')

    monkeypatch.setattr(simulation, "_simulate", simulate)
    with pytest.raises(ProtocolError, match=r"^because$"):
        learn()
    assert asked == [
        {"prefix": "vecphe-flower-", "ignore_cleanup_errors": True}, ((512,), {"insecure": True, "engine": None}),
    ]  # fmt: skip


def test_the_rounds_and_the_last_lines_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, rounds, asked = [f"line {number}" for number in range(60)], list[int](), list[Any]()

    def run(app: Path, name: str, env: Any, *arguments: str, on_line: Any) -> int:
        asked.append(arguments)
        for line in ("INFO : vecphe round 3", "round 4", "a vecphe round 12 of", *lines):
            on_line(line)
        return 0

    monkeypatch.setattr(simulation, "run_app", run)
    monkeypatch.setattr(simulation, "superlink", lambda *_, port: nullcontext())
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    with pytest.raises(ProtocolError) as told:
        simulation._simulate(tmp_path, tmp_path, {}, 3, 5, rounds.append)
    assert str(told.value) == "the run over Flower failed: " + " | ".join(lines[-12:])
    assert rounds == [3, 12]
    nodes = "num-supernodes=3 client-resources-num-cpus=1 init-args-num-cpus=1"
    assert asked == [("--run-config", "num-server-rounds=5", "--federation-config", nodes)]
