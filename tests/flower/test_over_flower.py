"""What needs Flower itself: its records and messages, its simulation and its processes (`make test-flower`)."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.flower.deployments import ROOT, SCRIPT, environment
from tests.flower.relays import Deployment

from vecphe.errors import ProtocolError
from vecphe.flower import Reply, Request
from vecphe.flower.messages import content_digest
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

    def _grid(self, monkeypatch: Any, answer: Any) -> Any:
        """A grid whose nodes answer at once; `answer` gives the content or the error of a node, or None."""
        from flwr.app import Error, Message
        from flwr.supercore.task_identity import TaskIdentity

        for name in ("_run_id", "_task_id", "_node_id"):
            monkeypatch.setattr(TaskIdentity, name, 1)

        class Grid:
            def __init__(self) -> None:
                self.asked: dict[str, Any] = {}

            def push_messages(self, messages: list[Any]) -> list[str | None]:
                ids = [f"id {message.metadata.dst_node_id}" for message in messages]
                self.asked.update(zip(ids, messages, strict=True))
                return [id if answer(message) != "unknown" else None for id, message in zip(ids, messages, strict=True)]

            def pull_messages(self, ids: Any) -> list[Any]:
                assert None not in ids
                found = []
                for id in ids:
                    asked = self.asked[id]
                    given = answer(asked)
                    if given is not None:
                        asked.metadata.__dict__["_message_id"] = id
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

    def test_h55_a_node_that_is_not_there_any_more_is_lost(self, monkeypatch: Any) -> None:
        """Flower takes no message for it, and says so with None among the others' numbers."""
        from vecphe.flower.records import reply_to_record
        from vecphe.flower.server import FlowerRelay

        grid = self._grid(
            monkeypatch, lambda asked: "unknown" if asked.metadata.dst_node_id == 7 else reply_to_record(Reply())
        )
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
        rounds = 50 * (5 if topology == "ring" else 6)
        assert content["messages"] == 2 * (3 * nodes + rounds)  # hello, plan and end of each; asked and answered

    @pytest.mark.slow
    @pytest.mark.parametrize("topology", ["ring", "star"])
    def test_a_deployment_trains_and_refuses_strangers(self, tmp_path: Path, topology: str) -> None:
        app = Path(shutil.copytree(ROOT / "examples" / "flower-diabetes", tmp_path / "app"))
        output = self._deploy(tmp_path, app, topology, "hospitals=3")
        errors = [float(error) for error in re.findall(r"round \d: test MSE ([\d.]+)", output)]
        assert len(errors) == 3, output[-3000:]
        assert errors == sorted(errors, reverse=True)
        assert not (tmp_path / "w" / "run.key").exists()
        stranger = (tmp_path / "w" / "nodestranger.log").read_text(errors="replace")
        assert "Exit Code: 305" in stranger
        assert "Receiving" not in stranger

    @pytest.mark.slow
    def test_h54_a_bundle_that_nobody_pinned_is_refused(self, tmp_path: Path) -> None:
        app = Path(shutil.copytree(ROOT / "examples" / "flower-diabetes", tmp_path / "app"))
        other = Path(shutil.copytree(app, tmp_path / "other"))
        code = (other / "diabetes" / "client_app.py").read_text()
        marker = tmp_path / "ran"
        (other / "diabetes" / "client_app.py").write_text(f"open({str(marker)!r}, 'w')\n{code}")
        options = "hospitals=3 vecphe-timeout=15.0"
        output = self._deploy(tmp_path, app, "ring", options, OTHER_APP=str(other))
        assert "test MSE" not in output
        assert "FAB verification failed" in (tmp_path / "w" / "node0.log").read_text(errors="replace")
        assert not marker.exists()

    def _deploy(self, directory: Path, app: Path, topology: str, config: str, **more: str) -> str:
        env = environment(directory / "w", RUN_CONFIG=config, **more)
        command = ["bash", str(SCRIPT), str(app), topology, "3", "3"]
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            output, _ = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)  # whose trap stops all that the script has started
            output, _ = process.communicate(timeout=60)
            output += "\nTIMED OUT"
        return output
