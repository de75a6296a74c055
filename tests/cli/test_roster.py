"""`vecphe roster`, and what `vecphe run` says of Flower where there is none."""

from __future__ import annotations

import importlib.util
import json
import re
import sys

import pytest

import vecphe

pytest.importorskip("cryptography.hazmat.primitives.hpke", reason="needs cryptography 47")

from vecphe.flower.roster import Identity, Member, Roster


@pytest.fixture
def here(tmp_path, monkeypatch, main_here):
    """A directory with the public files of three hospitals and a server, and a public key."""
    monkeypatch.chdir(tmp_path)
    for name in ("h1", "h2", "h3", "server"):
        assert main_here("roster", "keys", name, "--out", name).returncode == 0
    vecphe.generate_keypair(512, insecure=True)[0].save("key.pub")
    return main_here


COLLECT = ["h1.pub", "h2.pub", "h3.pub", "--key", "key.pub", "--insecure", "--out", "roster.json"]


def collect(here, *more):
    return here("roster", "collect", *COLLECT, "--server", "server.pub", *more)


def test_a_roster_is_made_shown_and_verified(here):
    made = collect(here)
    assert made.returncode == 0, made.stderr
    shown = here("roster", "show", "roster.json")
    assert shown.stdout in made.stdout
    assert "topology: ring" in shown.stdout
    assert re.findall(r"client (\d): (\w+), id [0-9a-f]{32}", shown.stdout) == [("1", "h1"), ("2", "h2"), ("3", "h3")]
    digest = re.search(r"digest: ([0-9a-f]{64})", shown.stdout)[1]
    checks = ["--party", "h2", "--key", "key.pub", "--insecure", "--digest", digest.upper()]
    verified = here("roster", "verify", "roster.json", *checks)
    assert verified.returncode == 0, verified.stderr
    assert "roster.json is right" in verified.stdout


def test_with_a_holder_it_is_a_star(here):
    here("roster", "keys", "holder", "--out", "holder")
    assert "topology: star" in collect(here, "--holder", "holder.pub").stdout


def test_h54_a_server_is_not_the_holder_of_a_star(here, tmp_path):
    result = collect(here, "--holder", "server.pub")
    assert (result.returncode, "another party than the server" in result.stderr) == (2, True)
    assert not (tmp_path / "roster.json").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["collect", "h1", *COLLECT[1:], "--server", "server.pub", "--force"],
            "h1: not a party of vecphe, but a private party",
        ),
        (["verify", "roster.json", "--party", "h1.pub"], "h1.pub: not a private party of vecphe, but a party"),
        (["show", "h1.pub"], "h1.pub: not a roster of vecphe, but a party"),
        (["keys", "h4 ", "--out", "h4"], "must not begin or end with a space"),
    ],
)
def test_h36_another_file_of_vecphe_is_told_as_what_it_is(here, command, message):
    """And a public file is not asked to be made private."""
    assert collect(here).returncode == 0
    result = here("roster", *command)
    assert (result.returncode, message in result.stderr) == (2, True), result.stderr


def test_h54_keys_that_were_swapped_are_told(here, tmp_path):
    collect(here)
    here("roster", "keys", "h2", "--out", "h2", "--force")
    result = here("roster", "verify", "roster.json", "--party", "h2")
    assert result.returncode == 2
    assert "no party has the keys of h2" in result.stderr
    vecphe.generate_keypair(512, insecure=True)[0].save("other.pub")
    result = here("roster", "verify", "roster.json", "--key", "other.pub", "--insecure")
    assert (result.returncode, "is another than the roster's" in result.stderr) == (2, True)
    content = json.loads((tmp_path / "roster.json").read_text())
    content["clients"].reverse()
    digest = re.search(r"digest: (\w+)", here("roster", "show", "roster.json").stdout)[1]
    (tmp_path / "roster.json").write_text(json.dumps(content))
    result = here("roster", "verify", "roster.json", "--digest", digest)
    assert (result.returncode, "not the one that was given" in result.stderr) == (2, True)


def test_h48_two_hospitals_are_refused(here):
    result = here("roster", "collect", *COLLECT[1:], "--server", "server.pub")
    assert result.returncode == 2
    assert "2 clients are too few" in result.stderr


def test_h64_no_file_is_replaced(here):
    assert here("roster", "keys", "h1", "--out", "h1").returncode == 2
    collect(here)
    assert collect(here).returncode == 2
    assert collect(here, "--force").returncode == 0


def test_h67_the_private_file_is_private(here, tmp_path):
    assert (tmp_path / "h1").stat().st_mode & 0o777 == 0o600
    result = here("roster", "collect", "h1", *COLLECT[1:], "--server", "server.pub")
    assert (result.returncode, "not a party of vecphe" in result.stderr) == (2, True)


def test_verify_wants_something_to_hold_against(here):
    collect(here)
    result = here("roster", "verify", "roster.json")
    assert (result.returncode, "--party, --key or --digest" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--topology", "star"], "--over flower"),
        (["--over", "flower", "--backend", "naive"], "leave out --backend naive"),
        (["--over", "flower", "--fraction-bits", "20"], "without --fraction-bits"),
        (["--over", "flower", "--task", "regression"], "without --task"),
        (["--over", "flower", "--l2", "0.5"], "without --l2"),
        (["--over", "flower", "--scale", "federated"], "without --scale"),
    ],
)
def test_options_of_flower_that_do_not_fit_are_told(main_here, options, message):
    result = main_here("run", *options)
    assert (result.returncode, message in result.stderr) == (2, True)


def test_a_missing_flower_is_told_with_the_way_out(main_here, monkeypatch):
    genuine = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "flwr" else genuine(name, *rest)
    )
    result = main_here("run", "--over", "flower")
    assert (result.returncode, "pip install" in result.stderr) == (2, True)
    assert "vecphe[flower]" in result.stderr


# What is said, and what is refused, as a whole ------------------------------------------------------------------------


def ids_of(here):
    """What `roster keys` says, by the name of the party."""
    return {
        name: re.search(r"^id: ([0-9a-f]{32})$", here("roster", "keys", name, "--out", name, "--force").stdout, re.M)[1]
        for name in ("h1", "h2", "h3", "server", "holder")
    }


@pytest.mark.parametrize("topology", ["ring", "star"])
def test_a_roster_is_described_line_by_line(here, topology):
    ids = ids_of(here)
    done = here("roster", "keys", "new", "-o", "n.x")
    new = Identity.load("n.x").member
    assert done.stdout == f"private keys: n.x\npublic keys: n.x.pub\nid: {new.id}\n"
    assert Member.load("n.x.pub") == new
    made = collect(here, *(["--holder", "holder.pub"] if topology == "star" else []))
    pinned = Roster.load("roster.json")
    described = "".join(
        f"{line}\n"
        for line in (
            f"topology: {topology}",
            f"run: {pinned.run}",
            f"public key: {vecphe.PublicKey.load('key.pub', insecure=True).fingerprint}",
            *(f"client {i}: h{i}, id {ids[f'h{i}']}" for i in (1, 2, 3)),
            f"server: server, id {ids['server']}",
            *([f"holder: holder, id {ids['holder']}"] if topology == "star" else []),
            f"digest: {pinned.digest}",
        )
    )
    assert made.stdout == f"roster: roster.json\n{described}"
    assert here("roster", "show", "roster.json").stdout == described
    for party in ("h1", "h3", "server", *(["holder"] if topology == "star" else [])):
        assert here("roster", "verify", "roster.json", "--party", party).stdout == f"roster.json is right\n{described}"
    for how in (["--key", "key.pub", "--insecure"], ["-k", "key.pub", "--insecure"], ["--digest", pinned.digest]):
        done = here("roster", "verify", "roster.json", *how)
        assert (done.returncode, done.stdout) == (0, f"roster.json is right\n{described}")
    assert here("roster", "verify", "roster.json", "--digest", f" {pinned.digest.upper()}\n").returncode == 0


def test_each_thing_that_differs_is_told_as_a_whole(here):
    assert collect(here).returncode == 0
    pinned = Roster.load("roster.json")
    here("roster", "keys", "h9", "--out", "h9")
    vecphe.generate_keypair(512, insecure=True)[0].save("other.pub")
    right = {"--party": "h1", "--key": "key.pub", "--digest": pinned.digest}
    wrong = {
        "--party": ("h9", "no party has the keys of h9 in h9"),
        "--key": ("other.pub", f"the public key in other.pub is another than the roster's {pinned.key}"),
        "--digest": ("0" * 64, f"its digest is {pinned.digest}, not the one that was given"),
    }
    for option, (value, told) in wrong.items():
        words = [word for pair in {**right, option: value}.items() for word in pair]
        done = here("roster", "verify", "roster.json", "--insecure", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(f"error: roster.json: {told}\n")
    words = [word for pair in right.items() for word in pair]
    assert here("roster", "verify", "roster.json", "--insecure", *words).returncode == 0
    refused = here("roster", "verify", "roster.json", *words)
    assert (refused.returncode, "give --insecure" in refused.stderr) == (2, True)
    nothing = here("roster", "verify", "roster.json")
    assert nothing.stderr == ("error: Invalid value: give --party, --key or --digest, to hold the roster against\n")


def test_h64_each_file_of_a_party_and_a_roster_is_replaced_where_that_is_asked_for(here, tmp_path):
    for present, other in (("new", "new.pub"), ("new.pub", "new")):
        (tmp_path / present).write_text("precious")
        done = here("roster", "keys", "new", "--out", "new")
        assert (done.returncode, done.stderr) == (2, f"error: {present} exists; use --force to replace it\n")
        assert (tmp_path / present).read_text() == "precious"
        assert not (tmp_path / other).exists()
        (tmp_path / present).unlink()
    for name in ("new", "new.pub"):
        (tmp_path / name).write_text("precious")
    assert here("roster", "keys", "new", "--out", "new", "--force").returncode == 0
    assert Identity.load("new").member == Member.load("new.pub")
    (tmp_path / "roster.json").write_text("precious")
    done = collect(here)
    assert done.stderr == "error: roster.json exists; use --force to replace it\n"
    assert (tmp_path / "roster.json").read_text() == "precious"
    refused = here("roster", "collect", *(word for word in COLLECT if word != "--insecure"), "--server", "server.pub",
                   "--force")  # fmt: skip
    assert (refused.returncode, "give --insecure" in refused.stderr) == (2, True)
    assert collect(here, "--force").returncode == 0


def test_a_command_without_another_shows_its_help(here):
    done = here("roster")
    assert "Usage: " in done.stdout + done.stderr
    assert all(name in done.stdout + done.stderr for name in ("keys", "collect", "show", "verify"))


@pytest.mark.parametrize("command", ["keys new --out new", "collect a --server b --key c --out d", "show a",
                                     "verify a --digest 0"])  # fmt: skip
def test_a_cryptography_that_is_too_old_is_one_line(main_here, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "vecphe.flower.roster", None)
    done = main_here("roster", *command.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ")
