"""The job of `vecphe run` over Flower, with programs in the place of Flower's: what is asked of them, and told."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path
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
