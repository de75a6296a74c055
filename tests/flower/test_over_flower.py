"""What needs Flower itself: its records and messages, its simulation and its processes (`make test-flower`)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.flower.deployments import ROOT, SCRIPT, descendants, environment, kill_all, wait_until
from tests.flower.relays import Deployment, deploy

from vecphe.arithmetic import available_engines
from vecphe.errors import EngineUnavailableError, ProtocolError
from vecphe.federated import ProtocolConfig, federated_learning, get_data
from vecphe.flower import Reply, Request, simulation
from vecphe.flower.messages import content_digest
from vecphe.flower.model import named_arrays
from vecphe.flower.supernode import pin


def test_h54_only_the_pinned_bundle_is_run() -> None:
    """The part of Flower's SuperNode that is looked into, played."""
    ran = []

    def pull(*, get_fab: Any, trusted_entities: Any, state: Any) -> None:
        fab = get_fab("hash that the server says", 1)
        if fab.verifications.get("valid_license") and inside._verify_fab(fab, trusted_entities):
            ran.append((fab.content, state))

    inside = SimpleNamespace(_pull_and_store_message=pull, _verify_fab=lambda *_: True)
    pin(inside, hashlib.sha256(b"read by us").hexdigest())
    for content in (b"read by us", b"another", b""):
        fab = SimpleNamespace(content=content, verifications={})
        inside._pull_and_store_message(get_fab=lambda *_, fab=fab: fab, trusted_entities=None, state="state")
    assert ran == [(b"read by us", "state")]


def commands_of(directory: Path) -> list[str]:
    """Command lines of the processes that have files of a test in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(directory).encode() in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


class Simulated:
    """Flower's simulation, played: it leaves the result that it was made with, and keeps what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, result: dict[str, Any]) -> None:
        self._result = result
        self.settings: dict[str, dict[str, Any]] = {}
        self.env: dict[str, str] = {}
        monkeypatch.setattr(simulation, "_simulate", self)

    def __call__(self, home: Path, app: Path, env: dict[str, str], *_: Any) -> None:
        files = home.glob("*/settings.json")
        self.settings = {path.parent.name: json.loads(path.read_text()) for path in files}
        self.env = env
        (home / "result.json").write_text(json.dumps(self._result))


def descent(job: simulation.Job, n_iter: int) -> list[list[float]]:
    """Plain steps against the mean gradient of all hospitals."""
    models = job.models()
    history = []
    for _ in range(n_iter):
        mean = np.mean([model.gradient() for model in models], axis=0)
        for model in models:
            model.apply([mean])
        history.append(models[0].weights.tolist())
    return history


def learned(job: simulation.Job, topology: str = "ring", **config: Any) -> tuple[Any, dict[str, Any]]:
    names = tuple(f"Hospital {i}" for i in range(1, job.n_clients + 1))
    options = ProtocolConfig(key_length=512, insecure=True, **config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return simulation.flower_learning(job, names, options, topology, lambda number: None)


COUNTS = {"messages": 7, "bytes_per_hop": 900, "seconds": 1.0, "cryptography": 0.5, "ciphertexts": 1}


def test_the_result_of_a_simulation_is_that_of_a_run_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    job = simulation.Job(5, 43, 1.5)
    Simulated(monkeypatch, {**COUNTS, "history": descent(job, 50)})
    result, facts = learned(job, n_iter=50)
    assert round(result.mse[0], 2) == 3775.5
    assert (result.n_iter, result.bytes_per_hop, facts["messages"]) == (50, 900, 7)


def test_h50_a_run_over_flower_that_goes_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rule that a run in one process has."""
    job = simulation.Job(5, 43, 2.1)
    Simulated(monkeypatch, {**COUNTS, "history": descent(job, 40)})
    with pytest.raises(
        ProtocolError, match=r"the mean loss is higher after the last step .* the run diverges; lower eta$"
    ):
        learned(job, n_iter=40)
    with pytest.raises(ProtocolError, match="the run diverges; lower eta"):
        federated_learning(*get_data(5), {"n_iter": 40, "eta": 2.1, "key_length": 512, "insecure": True})


def test_h50_a_run_over_flower_that_never_moves_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    job = simulation.Job(5, 43, 1.5)
    Simulated(monkeypatch, {**COUNTS, "history": [[0.0] * 11] * 10})
    with pytest.raises(ProtocolError, match="the weights did not change"):
        learned(job, n_iter=10)


def test_h50_what_ends_a_run_over_flower_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Simulated(monkeypatch, {"error": "round 3, Hospital 2: its update leaves the clip"})
    with pytest.raises(ProtocolError, match=r"^round 3, Hospital 2: its update leaves the clip$"):
        learned(simulation.Job(5, 43, 100.0), n_iter=10)


@pytest.mark.parametrize("topology", ["ring", "star"])
def test_workers_engine_and_rounds_of_a_run_over_flower_are_those_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, topology: str
) -> None:
    job = simulation.Job(3, 43, 1.5)
    played = Simulated(monkeypatch, {**COUNTS, "history": descent(job, 700)})
    learned(job, topology, n_clients=3, n_iter=700, n_jobs=2, engine="gmp")
    parties = {"0", "1", "2", "server", *({"3"} if topology == "star" else ())}
    assert played.settings.keys() == parties
    assert {own["jobs"] for own in played.settings.values()} == {2}
    assert {own["max_rounds"] for own in played.settings.values()} == {1400}  # what plan_of asks for
    assert played.env["VECPHE_ENGINE"] == "gmp"
    learned(job, topology, n_clients=3, n_iter=700)
    decrypts = "server" if topology == "ring" else "3"
    assert {name: own.get("jobs") for name, own in played.settings.items()} == {
        name: -1 if name == decrypts else None for name in parties
    }


def test_h46_an_engine_that_does_not_run_here_ends_a_run_over_flower_at_once() -> None:
    reasons = dict(available_engines())
    absent = next(name for name in ("cuda", "ifma", "neon") if reasons[name] is not None)
    with pytest.raises(EngineUnavailableError, match=absent):
        learned(simulation.Job(3, 43, 1.5), n_clients=3, engine=absent)


class TestFlower:
    """With Flower installed; it warns of its own parts on import, which is none of ours."""

    pytestmark = pytest.mark.filterwarnings("ignore")

    @pytest.fixture(autouse=True)
    def _flower(self) -> None:
        pytest.importorskip("flwr", reason="make test-flower has it")

    def test_requests_and_replies_come_back(self) -> None:
        from vecphe.flower.records import reply_from, reply_to_record, request_from, request_to_record

        arrays = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(1.5)}
        request = Request("task", (b"a", b"b" * 10_000), arrays, {"eta": 0.5, "n": 3, "name": "x"})
        again = request_from(request_to_record(request))
        assert (again.kind, again.parts, again.config) == (request.kind, request.parts, request.config)
        assert content_digest(again.arrays, again.config) == content_digest(arrays, request.config)
        for reply in (Reply((b"a", b"bc")), Reply(error="because")):
            assert reply_from(reply_to_record(reply)) == reply

    def test_h54_malformed_records_are_refused(self) -> None:
        from flwr.app import ArrayRecord, ConfigRecord, RecordDict

        from vecphe.errors import SerializationError
        from vecphe.flower.records import reply_from, request_from

        floats = ArrayRecord([np.zeros(3)])
        for records in (
            {},
            {"vecphe": ConfigRecord({"kind": "task"})},
            {"vecphe": ConfigRecord({"kind": "task", "error": "", "seconds": 0.0}), "vecphe-parts": floats},
            {"vecphe": ConfigRecord({}), "vecphe-parts": ConfigRecord({})},
        ):
            content = RecordDict(records)
            with pytest.raises(SerializationError):
                request_from(content)
            assert reply_from(content).error == "an answer that is none of the protocol"

    @pytest.mark.parametrize(
        "data", [b"", b"\x93NUMPY", b"PK\x03\x04" + b"x" * 40, b"PK\x05\x06" + bytes(18), b"\x80\x04N."]
    )
    def test_h54_bytes_that_are_no_array_are_refused(self, data: bytes) -> None:
        """numpy reads archives as well, and raises this and that on what is none."""
        from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

        from vecphe.errors import SerializationError
        from vecphe.flower.records import reply_from, request_from

        forged = ArrayRecord({"0": Array("uint8", (1,), "numpy.ndarray", data)})
        head = ConfigRecord({"kind": "task", "error": "", "seconds": 0.0})
        parts = ArrayRecord([np.zeros(3, np.uint8)])
        for records in (
            {"vecphe-parts": forged},
            {"vecphe-parts": parts, "arrays": forged},
            {"vecphe-parts": parts, "arrays": head},
            {"vecphe-parts": parts, "config": parts},
        ):
            content = RecordDict({"vecphe": head, **records})
            with pytest.raises(SerializationError, match="malformed"):
                request_from(content)
        assert reply_from(RecordDict({"vecphe": head, "vecphe-parts": forged})).error
        assert reply_from(RecordDict({"vecphe": parts, "vecphe-parts": parts})).error

    @pytest.mark.parametrize("names", [["w"], ["b", "a"], ["", "a/b"], ["\u00fc", "file"], ["1", "0", "10"]])
    def test_a_model_comes_back_out_of_flowers_bytes(self, names: list[str]) -> None:
        """With its digest, which the server signs: order, types and values, equal arrays, and empty ones."""
        from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
        from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

        from vecphe.flower.records import request_from, request_to_record

        kinds = [np.zeros(3), np.zeros(3), np.zeros((0, 2)), np.float16(1.5), np.arange(6, dtype=">i4")[::2]]
        config = {"n": -(2**63), "lr": np.float64(0.1), "on": True, "": "x", "raw": b"\xff", "all": [1.0, 2.0]}
        for array in kinds:
            arrays = {name: np.asarray(array) for name in names}
            content = request_to_record(Request("task", (b"a", b"a", b""), arrays, config))
            objects = {name: value.deflate() for name, value in get_all_nested_objects(content).items()}
            again = request_from(inflate_object_from_contents(content.object_id, objects))
            assert again.parts == (b"a", b"a", b"")
            assert list(again.arrays) == names
            assert content_digest(again.arrays, again.config) == content_digest(arrays, config)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "give one --node-config"),
            (["--node-config"], "expected one argument"),
            (["--node-config", "vecphe='a'", "--node-config=vecphe='b'"], "give one --node-config"),
            (["--node-conf", "vecphe='a'"], "give one --node-config"),
            (["--node-config", "vecphe=/etc/settings.json"], "the node configuration cannot be read"),
            (["--node-config", "partition-id=1"], "the node configuration has no 'vecphe'"),
            (["--node-config", "vecphe='/nowhere/settings.json'"], "No such file"),
            (["--node-config", "vecphe='{own}'"], "the settings pin no bundle"),
        ],
    )
    def test_h54_a_supernode_starts_with_one_pinned_bundle_only(
        self, ring: Deployment, monkeypatch: Any, arguments: list[str], message: str
    ) -> None:
        from vecphe.flower import supernode

        own = ring.relay.settings[0].roster.with_name("settings.json")
        given = [argument.replace("{own}", str(own)) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["supernode", "--superlink", "x:1", *given])
        monkeypatch.setattr(supernode, "pin", None)
        with pytest.raises(SystemExit, match=f"^error: .*{message}"):
            supernode.main()

    @pytest.mark.parametrize("option", [["--node-config", "{}"], ["--node-config={}"]])
    def test_h54_a_supernode_tries_all_files_of_its_party_before_it_starts(
        self, ring: Deployment, option: list[str]
    ) -> None:
        from vecphe.flower.supernode import own_settings

        path = ring.relay.settings[0].roster.with_name("settings.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "bundle": "f" * 64}))
        arguments = ["--port", "9", *(part.format(f"vecphe='{path}' partition-id=0") for part in option)]
        assert own_settings(arguments).bundle == "f" * 64
        ring.relay.settings[0].party.chmod(0o644)
        with pytest.raises(PermissionError, match="chmod 600"):
            own_settings(arguments)
        ring.relay.settings[0].party.chmod(0o600)
        ring.relay.settings[0].roster.write_bytes(ring.roster.to_bytes()[:-9])
        with pytest.raises(ValueError, match=r"roster\.json"):
            own_settings(arguments)

    def test_h54_flowers_trusted_entities_pin_who_signed_and_not_what(self) -> None:
        """What docs/threat-model.md says of --trusted-entities, by the function that decides it in a SuperNode."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from flwr.supercore.fab import Fab
        from flwr.supercore.primitives.asymmetric_ed25519 import create_message_to_sign
        from flwr.supernode.start_client_internal import _verify_fab

        from vecphe.serialization.strict_text import bytes_to_base64url

        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        trusted = {"fpk_1": public.decode()}

        def fab(content: bytes, signed: bytes, name: str = "fpk_1") -> Any:
            signature = key.sign(create_message_to_sign(hashlib.sha256(signed).digest(), 0))  # in 1970
            verification = json.dumps({"signed_at": 0, "signature": bytes_to_base64url(signature)})
            return Fab(hashlib.sha256(content).hexdigest(), content, {name: verification, "valid_license": "any"})

        for content in (b"read by us", b"signed for somebody else, long ago"):
            assert _verify_fab(fab(content, content), trusted)
        assert not _verify_fab(fab(b"changed", b"read by us"), trusted)
        assert not _verify_fab(fab(b"read by us", b"read by us", "fpk_2"), trusted)
        assert not _verify_fab(Fab("", b"read by us", {"valid_license": "Valid"}), trusted)  # of a bundle from a disk

    def _message(self, content: Any, kind: str) -> Any:
        from flwr.app import Message
        from flwr.app.metadata import Metadata

        metadata = Metadata(
            run_id=1, message_id="1", src_node_id=1, dst_node_id=2, reply_to_message_id="", group_id="",
            created_at=0.0, ttl=60.0, message_type=kind,
        )  # fmt: skip
        return Message(metadata=metadata, content=content)

    def _context(self, settings: Path | None) -> Any:
        from flwr.app import Context, RecordDict

        config = {} if settings is None else {"vecphe": str(settings)}
        return Context(run_id=1, node_id=2, node_config=config, state=RecordDict(), run_config={})

    def test_h54_training_in_the_clear_is_refused(self, ring: Deployment) -> None:
        from flwr.app import ArrayRecord, RecordDict

        from vecphe.flower.client import paillier_mod
        from vecphe.flower.records import reply_from

        def call_next(message: Any, context: Any) -> Any:
            raise AssertionError("trained in the clear")

        context = self._context(ring.relay.settings[0].roster.parent / "settings.json")
        for kind in ("train", "train.other"):
            message = self._message(RecordDict({"arrays": ArrayRecord([np.zeros(3)])}), kind)
            reply = paillier_mod(message, context, call_next)
            assert "encrypted rounds only" in str(reply_from(reply.content).error)
        message = self._message(RecordDict({"arrays": ArrayRecord([np.zeros(3)])}), "evaluate")
        assert paillier_mod(message, context, lambda m, c: "evaluated") == "evaluated"
        from vecphe.flower.records import request_to_record

        ours = self._message(request_to_record(Request("task", (b"x",))), "evaluate")
        assert paillier_mod(ours, context, lambda m, c: "evaluated") == "evaluated"  # and is no training of a round

    def test_h54_the_run_does_not_choose_the_settings(self, ring: Deployment, monkeypatch: Any) -> None:
        from vecphe.flower.client import paillier_mod
        from vecphe.flower.records import reply_from, request_to_record

        monkeypatch.delenv("VECPHE_SIMULATION", raising=False)
        context = self._context(None)
        context.run_config = {"vecphe": str(ring.relay.settings[0].roster.parent / "settings.json")}
        message = self._message(request_to_record(Request("hello", (bytes(32),))), "train")
        assert "this node has no settings" in str(reply_from(paillier_mod(message, context, None).content).error)

    def test_the_app_trains_without_our_records(self, ring: Deployment) -> None:
        """And what it says beside its arrays and its weight goes nowhere."""
        from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict

        from vecphe.flower.client import paillier_mod
        from vecphe.flower.records import reply_from, request_to_record

        seen = []

        def call_next(message: Any, context: Any) -> Any:
            seen.append(sorted(message.content))
            update = [np.ones((2, 3)), np.ones(5)]
            metrics = MetricRecord({"num-examples": 3, "loss": 4711.0})
            content = {"arrays": ArrayRecord(update), "metrics": metrics}
            return Message(RecordDict(content), reply_to=message)

        rounds = ring.rounds(max_restarts=0)
        rounds.start([np.zeros((2, 3)), np.zeros(5)])
        asked: list[Request] = []
        ring.relay.change = lambda node, request: asked.append(request)
        with pytest.raises(ProtocolError):
            rounds.average([np.zeros((2, 3)), np.zeros(5)])
        context = self._context(ring.relay.settings[0].roster.parent / "settings.json")
        reply = paillier_mod(self._message(request_to_record(asked[-1]), "train"), context, call_next)
        assert seen == [["arrays", "config"]]
        assert reply_from(reply.content).error is None
        assert set(reply.content) == {"vecphe", "vecphe-parts"}

    def _reply(self, deployment: Deployment, content: dict[str, Any], names: list[str] | None = None) -> Reply:
        """What the first client answers to a task, with an app that returns these records."""
        from flwr.app import Message, RecordDict

        from vecphe.flower.client import paillier_mod
        from vecphe.flower.records import reply_from, request_to_record

        rounds = deployment.rounds(max_restarts=0)
        model = dict(zip(names or ["0", "1"], (np.zeros((2, 3)), np.zeros(5)), strict=True))
        rounds.start(model)
        asked: list[Request] = []
        deployment.relay.change = lambda node, request: asked.append(request)
        with pytest.raises(ProtocolError):
            rounds.average(model)
        context = self._context(deployment.relay.settings[0].roster.parent / "settings.json")

        def call_next(message: Any, context: Any) -> Any:
            return Message(RecordDict(content), reply_to=message)

        task = next(request for request in asked if request.kind == "task")
        return reply_from(paillier_mod(self._message(request_to_record(task), "train"), context, call_next).content)

    @pytest.mark.parametrize(
        ("metrics", "weight"),
        [
            ({"num-examples": 7}, 7),
            ({"num-examples": 7.0, "loss": 0.5}, 7),
            ({"num-examples": 7.5}, None),
            ({"num-examples": float("nan")}, None),
            ({"num-examples": float("inf")}, None),
            ({"num-examples": [7]}, None),
            ({"num-examples": 0}, None),
            ({"examples": 7}, None),
        ],
    )
    def test_h51_a_weight_is_what_the_app_says_or_nothing_is_sent(
        self, tmp_path: Path, keypair: Any, metrics: dict[str, Any], weight: int | None
    ) -> None:
        """Nothing is rounded, and a missing one is not 1."""
        from flwr.app import ArrayRecord, MetricRecord

        from vecphe.flower import Hospital

        star = deploy(tmp_path, keypair[1], "star", weights="encrypted", max_weight=9)
        update = ArrayRecord([np.ones((2, 3)), np.ones(5)])
        reply = self._reply(star, {"arrays": update, "metrics": MetricRecord(metrics)})
        hospital = Hospital(star.relay.settings[0])
        row = hospital._memory._db.execute("SELECT weight FROM updates").fetchone()
        hospital.close()
        if weight is None:
            assert reply.error is not None
            assert "Hospital 1: its weight must be an integer from 1 to 9" in reply.error
            assert row is None
        else:
            assert (reply.error, row) == (None, (weight,))

    @pytest.mark.parametrize("returned", [["w", "b"], ["b", "w"], ["0", "1"], ["1", "0"]])
    def test_an_update_with_the_names_of_the_model_is_in_its_order(self, ring: Deployment, returned: list[str]) -> None:
        """With other names it is in the order in which it comes."""
        from flwr.app import Array, ArrayRecord

        from vecphe.flower import Hospital

        arrays = {"w": np.full((2, 3), 1.0), "b": np.full(5, 2.0)}
        by_name = set(returned) == set(arrays)
        values = [arrays[name] for name in returned] if by_name else list(arrays.values())
        update = ArrayRecord({name: Array(value) for name, value in zip(returned, values, strict=True)})
        reply = self._reply(ring, {"arrays": update}, ["w", "b"])
        hospital = Hospital(ring.relay.settings[0])
        row = hospital._memory._db.execute("SELECT data FROM updates").fetchone()
        hospital.close()
        assert reply.error is None
        assert np.frombuffer(row[0]).tolist() == [1.0] * 6 + [2.0] * 5

    def test_h51_an_app_that_returns_no_or_several_records_sends_nothing(self, ring: Deployment) -> None:
        from flwr.app import ArrayRecord

        update = ArrayRecord([np.ones((2, 3)), np.ones(5)])
        for content in ({}, {"arrays": update, "more": update}):
            ring.relay.change = None
            assert "Hospital 1: its training raised ProtocolError" in str(self._reply(ring, content).error)

    def test_h55_a_relay_that_answers_twice_or_without_a_reason_does_no_harm(self, monkeypatch: Any) -> None:
        from flwr.app import Error, Message

        from vecphe.flower.records import reply_to_record
        from vecphe.flower.server import FlowerRelay

        grid = self._grid(monkeypatch, lambda asked: reply_to_record(Reply((b"x",))))
        pull = grid.pull_messages

        def pull_twice(ids: Any) -> Any:
            first, *others = pull(ids)
            return [first, first, *others, *pull(list(grid.asked))]

        monkeypatch.setattr(grid, "pull_messages", pull_twice)
        relay = FlowerRelay(grid)
        assert relay.exchange({7: Request("task", ())}, 5.0) == {7: Reply((b"x",))}
        assert relay.exchange({8: Request("task", ())}, 5.0) == {8: Reply((b"x",))}
        assert relay.messages == 4
        for reason in (None, ""):

            def pull_error(ids: Any, reason: Any = reason) -> Any:
                return [Message(Error(0, reason), reply_to=grid.asked[ids[0]])]

            monkeypatch.setattr(grid, "pull_messages", pull_error)
            assert FlowerRelay(grid).exchange({9: Request("task", ())}, 5.0) == {9: Reply(error="error 0 of Flower")}

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({}, "needs num-server-rounds"),
            ({"num-server-rounds": 0}, "num-server-rounds must be positive, not 0"),
            ({"num-server-rounds": 2.5}, "num-server-rounds must be an int"),
            ({"num-server-rounds": "3"}, "num-server-rounds must be an int"),
            ({"num-server-rounds": True}, "num-server-rounds must be an int"),
            ({"num-server-rounds": 1 << 40}, "rounds must be a positive integer"),
            ({"vecphe-clib": 1.0}, "has no key 'vecphe-clib'; they are vecphe-model"),
            ({"vecphe-clip": "x"}, "clip must be a positive, finite float"),
            ({"vecphe-clip": True}, "clip must be a positive, finite float"),
            ({"vecphe-clip": 0}, "clip must be a positive, finite float"),
            ({"vecphe-clip": -1.0}, "clip must be a positive, finite float"),
            ({"vecphe-clip": float("nan")}, "clip must be a positive, finite float"),
            ({"vecphe-clip": 1e300}, "clip|slot|key"),
            ({"vecphe-fraction-bits": 41}, "multiple of 4"),
            ({"vecphe-fraction-bits": 40.0}, "fraction_bits must be"),
            ({"vecphe-fraction-bits": 10**6}, "fraction|slot|key|bits"),
            ({"vecphe-fraction-bits": -(10**6)}, "fraction|slot|key|bits"),
            ({"vecphe-weights": "all"}, "weights must be one of none, encrypted, public"),
            ({"vecphe-weights": True}, "weights must be one of none, encrypted, public"),
            ({"vecphe-weights": "public", "vecphe-max-weight": 0}, "max_weight must be a positive integer"),
            ({"vecphe-weights": "public", "vecphe-max-weight": 2.0}, "max_weight must be a positive integer"),
            ({"vecphe-weights": "public", "vecphe-max-weight": True}, "max_weight must be a positive integer"),
            ({"vecphe-model": 5}, "model must be at most 200 printable"),
            ({"vecphe-timeout": "x"}, "timeout must be a number"),
            ({"vecphe-timeout": 0.0}, "timeout must be positive"),
            ({"vecphe-timeout": float("nan")}, "timeout must be positive and finite"),
            ({"vecphe-timeout": True}, "timeout must be a number"),
            ({"vecphe-max-restarts": -1}, "max_restarts must be at least 0"),
            ({"vecphe-max-restarts": 1.0}, "max_restarts must be an int"),
        ],
    )
    def test_h30_a_configuration_of_a_run_that_cannot_be_is_refused(
        self, ring: Deployment, config: dict[str, Any], message: str
    ) -> None:
        from vecphe.flower.server import encrypted_rounds

        path = ring.server.roster.with_name("settings.json")
        config = {"vecphe": str(path), **({"num-server-rounds": 2} if config else {}), **config}
        context = SimpleNamespace(run_config=config)
        with (
            pytest.raises((ValueError, ProtocolError), match=message),
            encrypted_rounds(SimpleNamespace(), context, [np.zeros(2)]),  # type: ignore[arg-type]
        ):
            raise AssertionError("it began")

    def test_the_first_model_can_be_an_array_record(self, ring: Deployment) -> None:
        from flwr.app import Array, ArrayRecord

        from vecphe.flower.server import plan_of

        arrays = {"w": np.zeros((2, 3), np.float32), "b": np.zeros(5)}
        record = ArrayRecord({name: Array(array) for name, array in arrays.items()})
        plan = plan_of({"num-server-rounds": 2}, ring.server, named_arrays(record))
        assert plan.shapes == ((2, 3), (5,))
        rounds = ring.rounds(plan)
        rounds.start(record)
        rounds.save(record)
        for found in (rounds.model, ring.rounds(plan).start([])):
            assert list(found) == ["w", "b"]
            for one, other in zip(found.values(), arrays.values(), strict=True):
                np.testing.assert_array_equal(one, other, strict=True)
        rounds.average(rounds.model)
        assert ring.relay.transcript[-1][1].arrays.keys() == arrays.keys()

    def test_the_key_of_a_run_that_has_ended_is_told_to_be_gone(self, ring: Deployment) -> None:
        from vecphe.flower.server import plan_of

        ring.server.key.unlink()  # type: ignore[union-attr]
        with pytest.raises(ProtocolError, match="key does not exist; the key of a run that has ended was destroyed"):
            plan_of({"num-server-rounds": 2}, ring.server, named_arrays([np.zeros(2)]))

    def _grid(self, monkeypatch: Any, answer: Any, short: bool = False) -> Any:
        """A grid whose nodes answer at once; `answer` gives the content or the error of a node, or None."""
        from flwr.app import Error, Message
        from flwr.supercore.task_identity import TaskIdentity

        for name in ("_run_id", "_task_id", "_node_id"):
            monkeypatch.setattr(TaskIdentity, name, 1)

        class Grid:
            def __init__(self) -> None:
                self.asked: dict[str, Any] = {}

            def push_messages(self, messages: list[Any]) -> list[str | None]:
                sent: list[str | None] = []
                for message in messages:
                    id = f"id {message.metadata.dst_node_id}"
                    message.metadata.__dict__["_message_id"] = id
                    self.asked[id] = message
                    if answer(message) != "unknown":
                        sent.append(id)
                    elif not short:  # of the two ways that Flower's own grids have
                        sent.append(None)
                return sent

            def pull_messages(self, ids: Any) -> list[Any]:
                assert None not in ids
                found = []
                for id in ids:
                    asked = self.asked[id]
                    given = answer(asked)
                    if given is not None:
                        what = Error(given, "as Flower puts it") if isinstance(given, int) else given
                        found.append(Message(what, reply_to=asked))
                return found

        return Grid()

    def test_the_relay_counts_what_clients_send(self, monkeypatch: Any) -> None:
        from vecphe.flower.records import reply_to_record
        from vecphe.flower.server import FlowerRelay

        grid = self._grid(
            monkeypatch, lambda asked: reply_to_record(Reply((bytes(100), bytes(asked.metadata.dst_node_id))))
        )
        relay = FlowerRelay(grid)
        assert relay.bytes_per_hop == 0
        relay.exchange({1: Request("hello", (bytes(32),)), 2: Request("hello", (bytes(32),))}, 5.0)
        assert (relay.messages, relay.bytes_per_hop) == (4, 0)
        replies = relay.exchange({10: Request("task", (b"t",)), 20: Request("task", (b"t", bytes(5000)))}, 5.0)
        assert [len(replies[node].parts[1]) for node in (10, 20)] == [10, 20]
        relay.exchange({20: Request("total", (bytes(5000),))}, 5.0)
        assert (relay.messages, relay.bytes_per_hop) == (10, 115)
        assert relay.exchange({}, 5.0) == {}

    def test_h55_a_node_that_flower_gives_up_is_lost_and_has_refused_nothing(self, monkeypatch: Any) -> None:
        """The errors of Flower of a node that was killed, went away, or whose process died in its hop."""
        from flwr.common.constant import ErrorCode

        from vecphe.flower.records import reply_to_record
        from vecphe.flower.server import FlowerRelay

        lost = ("MESSAGE_UNAVAILABLE", "REPLY_MESSAGE_UNAVAILABLE", "NODE_UNAVAILABLE", "CLIENT_APP_CRASHED")
        names = [name for name in vars(ErrorCode) if name.isupper()]
        assert set(lost) < set(names)
        for name in names:
            code = getattr(ErrorCode, name)
            grid = self._grid(
                monkeypatch,
                lambda asked, code=code: code if asked.metadata.dst_node_id == 7 else reply_to_record(Reply((b"x",))),
            )
            replies = FlowerRelay(grid).exchange({7: Request("task", ()), 8: Request("task", ())}, 5.0)
            expected = {} if name in lost else {7: Reply(error="as Flower puts it")}
            assert replies == {**expected, 8: Reply((b"x",))}

    @pytest.mark.parametrize("short", [False, True])
    def test_h55_a_node_that_is_not_there_any_more_is_lost(self, monkeypatch: Any, short: bool) -> None:
        """Flower takes no message for it, and says so with None among the others' numbers, or with nothing."""
        from vecphe.flower.records import reply_to_record
        from vecphe.flower.server import FlowerRelay

        def answer(asked: Any) -> Any:
            return "unknown" if asked.metadata.dst_node_id == 7 else reply_to_record(Reply())

        grid = self._grid(monkeypatch, answer, short)
        relay = FlowerRelay(grid)
        assert relay.exchange({7: Request("task", ()), 8: Request("task", ())}, 5.0) == {8: Reply()}
        assert relay.messages == 2
        silent = FlowerRelay(self._grid(monkeypatch, lambda asked: None))
        assert silent.exchange({7: Request("task", ())}, 0.2) == {}

    @pytest.mark.slow
    @pytest.mark.parametrize(("topology", "nodes", "asked"), [("ring", 5, 1), ("star", 6, 1)])
    def test_the_main_job_over_flower_ends_with_the_known_error(
        self, tmp_path: Path, topology: str, nodes: int, asked: int
    ) -> None:
        path = tmp_path / "result.json"
        command = [sys.executable, "-m", "vecphe", "run", "--over", "flower", "--topology", topology]
        done = subprocess.run(
            [*command, "--key-length", "2048", "--json", str(path)], capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
        content = json.loads(path.read_text())
        assert (content["transport"], content["topology"]) == ("flower", topology)
        np.testing.assert_allclose(content["backends"]["packed"]["mse"], 3775.497, rtol=1e-6)
        assert content["backends"]["packed"]["ciphertexts_per_hop"] == 1
        assert 512 < content["backends"]["packed"]["bytes_per_hop"] < 3000  # one ciphertext, headers and signatures
        rounds = 50 * (5 if topology == "ring" else 6)
        # Hello, plan and end of each; asked and answered. Nodes that start slowly are asked hello once more.
        assert content["messages"] - 2 * (3 * nodes + rounds) in range(nodes + 1)

    @pytest.mark.slow
    def test_h50_a_run_that_diverges_is_one_line(self) -> None:
        command = [sys.executable, "-m", "vecphe", "run", "--over", "flower", "--eta", "100", "--iterations", "12"]
        done = subprocess.run([*command, "--key-length", "2048"], capture_output=True, text=True, timeout=500)
        assert done.returncode == 2, done.stdout[-2000:]
        assert re.search(r"^error: round \d+, Hospital \d: its update leaves the clip .* a lower --eta", done.stderr)
        assert done.stderr.count("\n") == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
    def test_h70_nothing_outlives_a_run_that_is_ended(self, tmp_path: Path, sent: signal.Signals) -> None:
        """Neither the SuperLink, nor what it has started."""
        left = partial(commands_of, tmp_path)
        command = [
            sys.executable,
            "-m",
            "vecphe",
            "run",
            "--over",
            "flower",
            "--key-length",
            "2048",
            "--iterations",
            "500",
        ]
        process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL)
        try:
            wait_until(
                lambda: any("simulation" in line and "superlink" not in line for line in left()), 300, "a simulation"
            )
            process.send_signal(sent)
            assert process.wait(60) == (-sent if sent == signal.SIGKILL else 128 + sent)
            deadline = time.monotonic() + 100
            while left() and time.monotonic() < deadline:
                time.sleep(0.5)
            assert left() == []
            if sent == signal.SIGTERM:
                assert not list(tmp_path.glob("vecphe-flower-*"))
        finally:
            process.kill()

    @pytest.mark.slow
    def test_h70_nothing_outlives_a_script_that_is_ended_in_its_run(self, tmp_path: Path) -> None:
        """Flower leaves an app alone whose SuperLink is stopped, and it would wait for that for ever."""
        app = Path(shutil.copytree(ROOT / "examples" / "flower-diabetes", tmp_path / "app"))
        env = environment(tmp_path / "w", SIMULATE="1")
        command = ["bash", str(SCRIPT), str(app), "ring", "500"]
        with open(tmp_path / "output", "wb") as output:
            process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True)
        try:
            wait_until(lambda: b"round 1:" in (tmp_path / "output").read_bytes(), 400, "a first round")
            assert commands_of(tmp_path)
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
            wait_until(lambda: not commands_of(tmp_path), 10, "an end of all processes")
        finally:
            kill_all(descendants(process.pid))

    @pytest.mark.slow
    @pytest.mark.parametrize("topology", ["ring", "star"])
    def test_the_diabetes_example_in_simulation_ends_with_the_known_error(self, tmp_path: Path, topology: str) -> None:
        output = self._deploy(tmp_path, "flower-diabetes", topology, rounds=50, clients=5, SIMULATE="1")
        assert "round 50: test MSE 3775.50" in output, output[-3000:]
        assert "EXIT 0" in output

    @pytest.mark.slow
    @pytest.mark.parametrize(("topology", "simulate"), [("star", "1"), ("ring", "")])
    def test_the_breast_cancer_example(self, tmp_path: Path, topology: str, simulate: str) -> None:
        """In simulation and as a deployment; weights of examples are encrypted in it."""
        output = self._deploy(tmp_path, "flower-breast-cancer", topology, SIMULATE=simulate)
        accuracies = [float(text) for text in re.findall(r"round \d: test accuracy ([\d.]+)", output)]
        assert len(accuracies) == 3, output[-3000:]
        assert accuracies[-1] > 0.93
        assert "EXIT 0" in output

    @pytest.mark.slow
    @pytest.mark.parametrize("topology", ["ring", "star"])
    def test_a_deployment_trains_and_refuses_strangers(self, tmp_path: Path, topology: str) -> None:
        output = self._deploy(tmp_path, "flower-diabetes", topology)
        errors = [float(error) for error in re.findall(r"round \d: test MSE ([\d.]+)", output)]
        assert len(errors) == 3, output[-3000:]
        assert errors == sorted(errors, reverse=True)
        assert not (tmp_path / "w" / "run.key").exists()
        assert "EXIT 0" in output
        stranger = (tmp_path / "w" / "nodestranger.log").read_text(errors="replace")
        assert "Exit Code: 305" in stranger
        assert "Receiving" not in stranger

    @pytest.mark.slow
    def test_h54_a_bundle_that_nobody_pinned_is_refused(self, tmp_path: Path) -> None:
        other = Path(shutil.copytree(ROOT / "examples" / "flower-diabetes", tmp_path / "other"))
        code = (other / "diabetes" / "client_app.py").read_text()
        marker = tmp_path / "ran"
        (other / "diabetes" / "client_app.py").write_text(f"open({str(marker)!r}, 'w')\n{code}")
        config = "vecphe-timeout=15.0"
        output = self._deploy(tmp_path, "flower-diabetes", "ring", RUN_CONFIG=config, OTHER_APP=str(other))
        assert "test MSE" not in output
        assert "FAB verification failed" in (tmp_path / "w" / "node0.log").read_text(errors="replace")
        assert not marker.exists()
        assert "EXIT 1" in output

    def _deploy(
        self, directory: Path, example: str, topology: str, *, rounds: int = 3, clients: int = 3, **more: str
    ) -> str:
        app = Path(shutil.copytree(ROOT / "examples" / example, directory / "app"))
        command = ["bash", str(SCRIPT), str(app), topology, str(rounds), str(clients)]
        process = subprocess.Popen(
            command,
            env=environment(directory / "w", **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)  # whose trap stops all that the script has started
            output, _ = process.communicate(timeout=60)
            output += "\nTIMED OUT"
        return f"{output}\nEXIT {process.returncode}"
