"""Rows 50 to 55 where processes fail: a deployment with TLS whose nodes and server are killed (`make test-flower`)."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.flower.deployments import Lines, Nodes, deployed, wait_until

import vecphe

APP = Path(__file__).parent / "faulty"

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def _flower() -> None:
    pytest.importorskip("flwr", reason="make test-flower has it")


@pytest.fixture(params=["ring", "star"])
def topology(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def nodes(tmp_path: Path, topology: str) -> Iterator[Nodes]:
    with deployed(tmp_path / "w", Path(shutil.copytree(APP, tmp_path / "app")), topology) as made:
        yield made


def order(nodes: Nodes, place: int, step: int, what: str) -> None:
    (nodes.orders / f"{place}-{step}").write_text(what)


def decided(nodes: Nodes, topology: str) -> list[int]:
    """Rounds of which a sum was decrypted, by the memory of who holds the key; it allows one each."""
    memory = nodes.directory / ("server" if topology == "ring" else "3") / "memory.db"
    with sqlite3.connect(memory) as db:
        return [number for (number,) in db.execute("SELECT round FROM decisions ORDER BY round")]


def check_models(lines: Lines, first: int, last: int) -> None:
    """After each step the sum of the means of all three, whatever happened meanwhile: never a half of it."""
    found = [[float(value) for value in line.split()] for line in lines.of("model")]
    means = np.cumsum([10.0 * step + 1 for step in range(1, last + 1)])[first - 1 :]
    np.testing.assert_allclose(found, np.repeat(means, 4).reshape(-1, 4), atol=1e-9)


def check_end(nodes: Nodes, lines: Lines, topology: str, rounds: int) -> None:
    lines.end(200)
    assert not (nodes.directory / "run.key").exists(), lines.text[-3000:]
    assert decided(nodes, topology) == list(range(1, rounds + 1))


def test_h55_nodes_that_are_killed_before_in_and_after_their_hop(nodes: Nodes, topology: str) -> None:
    """Each is started again; only the hop that was cut short is done anew, and every step has all three."""
    order(nodes, 1, 3, "sleep 600")
    order(nodes, 2, 4, "sleep 8")
    lines = nodes.run(4, timeout=90.0)
    lines.wait_for("model", 1, 400)
    nodes.kill(1)()  # before its hop of step 2

    wait_until(lambda: "1-3" in nodes.trained, 400, lines.text)
    nodes.kill(1)()  # in its hop of step 3

    wait_until(lambda: "2-4" in nodes.trained, 500, lines.text)
    if topology == "ring":
        nodes.kill(1)()  # after its hop of step 4: the third client has what it sealed
    else:
        nodes.kill(3)()  # the holder, before it decrypts the sum of step 4
    lines.wait_for("model", 4, 400)
    check_end(nodes, lines, topology, 4)
    check_models(lines, 1, 4)
    assert Counter(nodes.trained)["1-3"] == 2
    assert {count for name, count in Counter(nodes.trained).items() if name != "1-3"} == {1}


def test_h54_what_comes_late_twice_or_wrong_through_flower(nodes: Nodes, topology: str) -> None:
    """A slow node beyond the time-out, bad updates of all kinds, and every message of two rounds once more."""
    order(nodes, 1, 1, "sleep 100")
    for place, step, what in ((0, 2, "nan"), (1, 3, "shape"), (2, 4, "clip"), (1, 5, "raise")):
        order(nodes, place, step, what)
    (nodes.orders / "replay-2").touch()
    lines = nodes.run(5, timeout=90.0)
    lines.wait_for("model", 5, 900)
    check_end(nodes, lines, topology, 5)
    check_models(lines, 1, 5)
    assert Counter(nodes.trained)["1-1"] == 1  # another attempt sends the same update under fresh encryptions
    expected = (
        "Hospital 1.*not finite",
        "Hospital 2.*other shapes",
        "Hospital 3.*leaves the clip",
        "Hospital 2.*RuntimeE",
    )
    refused = lines.of("refused")
    assert len(refused) == 4
    for text, pattern in zip(refused, expected, strict=True):
        assert re.search(pattern, text), text
    assert "4711" not in lines.text
    check_replay(lines, topology)


def check_replay(lines: Lines, topology: str) -> None:
    """Of step 1 the messages are old; of step 2 answers are repeated, those of the try that was refused as well."""
    repeated = lines.of("repeated")
    per_round = 3 if topology == "ring" else 4
    old, new = repeated[:-per_round], repeated[-per_round:]
    assert sum("has begun" in text for text in old) >= per_round, repeated
    assert all("has begun" in text or text == "the same" for text in old), repeated
    assert new == ["the same"] * per_round, repeated
    (changed,) = lines.of("changed")
    assert "two different" in changed or "where there must be" in changed, changed


def test_h55_a_run_without_a_client_ends_and_goes_on_where_it_was(nodes: Nodes, topology: str) -> None:
    """Fewer alive than the three that there must be; then a server that is killed; then one with another key."""
    lines = nodes.run(4, timeout=90.0)
    lines.wait_for("model", 1, 400)
    start_again = nodes.kill(2)
    lines.wait_for("lost", 1, 500)
    lines.end(200)
    assert "Hospital 3 does not answer" in lines.of("lost")[0]
    assert (nodes.directory / "run.key").exists()
    check_models(lines, 1, 1)
    start_again()

    lines = nodes.run(4, timeout=90.0)
    lines.wait_for("model", 1, 400)
    assert lines.of("step")[0] == "2"  # from what was saved
    nodes.kill_server()
    before = decided(nodes, topology)

    refused = nodes.run(4, other_key(nodes, topology))
    assert "is not the one of the roster" in refused.end(300)
    assert decided(nodes, topology) == before

    lines = nodes.run(4, timeout=90.0)
    lines.wait_for("model", 5 - int(lines_step(lines)), 600)
    check_models(lines, int(lines_step(lines)), 4)
    check_end(nodes, lines, topology, len(decided(nodes, topology)))


def lines_step(lines: Lines) -> str:
    """The step that a run began with."""
    lines.wait_for("step", 1, 300)
    return lines.of("step")[0]


def other_key(nodes: Nodes, topology: str) -> str:
    """Settings of the server with another key in the place of the run's, as if it had changed between two rounds."""
    public_key, private_key = vecphe.generate_keypair(2048)
    settings: dict[str, Any] = json.loads((nodes.directory / "server" / "settings.json").read_text())
    name = "key" if topology == "ring" else "public_key"
    settings[name] = "../other.key"
    (private_key if topology == "ring" else public_key).save(nodes.directory / "other.key")
    (nodes.directory / "server" / "other.json").write_text(json.dumps(settings))
    return "server/other.json"
