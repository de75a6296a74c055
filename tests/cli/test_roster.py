"""`vecphe roster`, and what `vecphe run` says of Flower where there is none."""

from __future__ import annotations

import importlib.util
import json
import re

import pytest

import vecphe

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("cryptography.hazmat.primitives.hpke") is None, reason="needs cryptography 47"
)


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
