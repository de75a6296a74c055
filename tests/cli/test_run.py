"""`vecphe run`: what it prints and writes, and what it refuses."""

import importlib
import json
import logging
import re
from types import SimpleNamespace

import numpy as np
import phe
import pytest
from typer.testing import CliRunner

import vecphe.cli.comparison as comparison_module
from vecphe.cli.app import app
from vecphe.cli.output import write_json
from vecphe.numbers.primes import random_prime_pair

SHORT = ["run", "--key-length", "256", "--insecure", "--iterations", "2"]


def invoke(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Output and JSON of a whole comparison with a short key."""
    path = tmp_path_factory.mktemp("run") / "result.json"
    result = invoke("run", "--key-length", 512, "--insecure", "--json", path)
    assert result.exit_code == 0, result.output
    return result.output, json.loads(path.read_text())


def test_it_says_first_what_is_on_and_how_long_it_takes(outcome):
    lines = outcome[0].splitlines()
    assert re.fullmatch(r"Paillier, 512-bit key, DJN randomizers, engine \w+", lines[0])
    assert "insecure" in lines[1]
    assert "diabetes, 5 hospitals" in lines[2]
    assert re.search(r"about [\d.]+ (ms|s|h)", lines[3])
    assert "naive runs as many iterations as fit in 10 s" in lines[4]


def test_tables_hold_the_known_errors(outcome):
    text = outcome[0]
    for number, error in enumerate(["3810.44", "3982.58", "3569.32", "4144.15", "3848.39"], 1):
        assert re.search(rf"Hospital {number} .*{error} .*3775\.50", text)
    phases = ("keygen", "setup", "randomizers", "encrypt", "decrypt")
    for row in (*phases, "seconds per iteration", "of these online", "speed-up", "bytes per hop"):
        assert row in text
    assert "models agree at iteration" in text


def test_json_holds_the_same(outcome):
    content = outcome[1]
    assert list(content["backends"]) == ["naive", "vectorized", "packed"]
    for name, ciphertexts in [("vectorized", 11), ("packed", 2)]:
        result = content["backends"][name]
        np.testing.assert_allclose(result["mse"], 3775.497, rtol=1e-6)
        assert result["iterations"] == 50
        assert result["ciphertexts_per_hop"] == ciphertexts
        assert result["bytes_per_hop"] == ciphertexts * 128
        assert result["speed_up"] > 1
    assert content["agreement"]["agree"] is True
    assert content["clients"][4] == "Hospital 5"


def test_json_to_stdout_is_nothing_but_json(main_here):
    done = main_here(*SHORT, "--backend", "packed", "--json", "-")
    assert done.returncode == 0
    assert json.loads(done.stdout)["iterations"] == 2
    assert "Paillier, 256-bit key" in done.stderr
    assert "Traceback" not in done.stderr


def test_naive_stops_when_its_time_is_up(monkeypatch, tmp_path):
    monkeypatch.setattr(comparison_module, "NAIVE_SECONDS", 0.0)
    path = tmp_path / "result.json"
    result = invoke("run", "--key-length", 256, "--insecure", "--iterations", 5, "--json", path)
    assert result.exit_code == 0, result.output
    assert "naive ran 1 of 5 iterations" in result.output
    content = json.loads(path.read_text())
    assert [r["iterations"] for r in content["backends"].values()] == [1, 5, 5]
    assert content["agreement"]["iteration"] == 1


def test_naive_alone_runs_to_the_end(monkeypatch):
    monkeypatch.setattr(comparison_module, "NAIVE_SECONDS", 0.0)
    result = invoke(*SHORT, "--backend", "naive")
    assert result.exit_code == 0
    assert re.search(r"iterations .* 2 ", result.output)


@pytest.fixture
def no_phe(monkeypatch):
    """Make phe look as if it was not installed."""
    real = importlib.import_module

    def import_module(name, package=None):
        if name == "phe":
            raise ModuleNotFoundError("No module named 'phe'")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", import_module)


def test_without_phe_naive_is_skipped_loudly(no_phe):
    result = invoke(*SHORT)
    assert result.exit_code == 0
    assert "WARNING: naive is skipped, phe is not installed (pip install phe)" in result.output
    assert "speed-up" not in result.output


def test_without_phe_naive_alone_is_an_error(no_phe):
    result = invoke(*SHORT, "--backend", "naive")
    assert result.exit_code == 2
    assert "pip install phe" in result.output


def test_models_that_differ_are_told(monkeypatch):
    monkeypatch.setattr(comparison_module, "TOLERANCE", -1.0)
    result = invoke(*SHORT)
    assert result.exit_code == 1
    assert "models DISAGREE" in result.output


@pytest.fixture
def csv_file(tmp_path):
    """Three wards, two features of very different size, a target far from zero."""
    rng = np.random.default_rng(0)
    lines = ["age,pressure,ward,cost"]
    for i in range(90):
        age, pressure = rng.normal(50, 10), rng.normal(1e5, 1e4)
        lines.append(f"{age},{pressure},[{'abc'[i % 3]}],{1e6 + 3e4 * age - 20 * pressure + rng.normal(0, 1e3)}")
    path = tmp_path / "wards.csv"
    path.write_text("\n".join(lines))
    return path


def test_a_csv_file_works_the_same_way(csv_file, tmp_path):
    path = tmp_path / "result.json"
    result = invoke(
        "run", "--key-length", 256, "--insecure", "--data", csv_file, "--target", "cost", "--group", "ward",
        "--backend", "packed", "--iterations", 100, "--json", path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads(path.read_text())
    assert content["clients"] == ["[a]", "[b]", "[c]"]
    assert "[a]" in result.output
    for mse in content["backends"]["packed"]["mse"]:  # in the target's own units: the noise has variance 1e6
        assert 3e5 < mse < 3e6


def test_a_csv_file_without_groups_is_cut_into_blocks(csv_file, tmp_path):
    text = csv_file.read_text()
    for letter in "abc":
        text = text.replace(f"[{letter}]", str(ord(letter)))
    csv_file.write_text(text)
    result = invoke(*SHORT, "--data", csv_file, "--target", "cost", "--clients", 4, "--backend", "packed")
    assert result.exit_code == 0, result.output
    assert "Hospital 4" in result.output


def fails(result, word, *words):
    """The error is one line with these words, exit status 2, nothing else."""
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    for each in (word, *words):
        assert each in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--key-length", "65"], "--key-length"),
        (["--key-length", "abc"], "--key-length"),
        (["--key-length", "-1"], "--key-length"),
        (["--key-length", "1024"], "insecure"),
        (["--clients", "2"], "--clients"),
        (["--clients", "400"], "--clients 400"),
        (["--jobs", "0"], "--jobs 0"),
        (["--iterations", "0"], "--iterations"),
        (["--eta", "nan"], "eta"),
        (["--eta", "1e400"], "eta"),
        (["--eta", "-1.5"], "eta"),
        (["--eta", "1,5"], "--eta"),
        (["--seed", "-1"], "--seed"),
        (["--backend", "fast"], "--backend"),
        (["--no-such-option"], "--no-such-option"),
        (["--target", "y"], "--data"),
        (["--data", "x.csv"], "--target"),
    ],
)
def test_h65_h66_usage_errors(main_here, args, word):
    fails(main_here("run", *args), word)


@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "binary", "text column", "two groups"])
def test_h63_files_that_are_no_tables(main_here, tmp_path, kind):
    path = tmp_path / "data.csv"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        row = {"empty": b"", "binary": b"\x00\xff\xfe\x9c", "text column": b"a,g,y\nx,1,2\n"}
        path.write_bytes(row.get(kind, b"a,g,y\n" + b"1,p,2\n3,q,4\n" * 9))
    words = {
        "missing": "data.csv: No such file",
        "directory": "data.csv: Is a directory",
        "empty": "data.csv: the file is empty",
        "binary": "data.csv: not UTF-8 text",
        "text column": "data.csv: column 'a', from line 2 on: text, not numbers; --drop a",
        "two groups": "data.csv: the column 'g' has 2 groups",
    }
    fails(main_here("run", "--data", str(path), "--target", "y", "--group", "g"), words[kind])


def test_h64_results_are_not_overwritten_unless_forced(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("precious")
    result = invoke(*SHORT, "--backend", "packed", "--json", path)
    assert result.exit_code == 2
    assert "--force" in result.output
    assert path.read_text() == "precious"
    assert invoke(*SHORT, "--backend", "packed", "--json", path, "--force").exit_code == 0
    assert json.loads(path.read_text())["iterations"] == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("backend", ["packed", "vectorized", "naive"])
def test_h67_no_private_number_in_what_is_printed_or_written(main_here, monkeypatch, tmp_path, caplog, backend):
    made = []

    def remembered(*args, made=made):
        made.append(random_prime_pair(*args))
        return made[-1]

    def remembered_by_phe(*args, **options):
        public_key, private_key = phe.generate_paillier_keypair(*args, **options)
        made.append((private_key.p, private_key.q))
        return public_key, private_key

    monkeypatch.setattr("vecphe.keys.generation.random_prime_pair", remembered)
    monkeypatch.setattr(
        "vecphe.federated.backends._imported_phe",
        lambda: SimpleNamespace(**{**vars(phe), "generate_paillier_keypair": remembered_by_phe}),
    )
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "result.json"
    done = main_here(*SHORT, "--backend", backend, "--json", str(path))
    assert done.returncode == 0, done.stderr
    failed = main_here(*SHORT[:-1], "50", "--backend", backend, "--eta", "20")
    shown = "".join([done.stdout, done.stderr, failed.stdout, failed.stderr, path.read_text(), caplog.text])
    assert len(made) >= 2  # the estimate has keys of its own
    assert failed.returncode == 2
    for p, q in made:
        for secret in (p, q, (p - 1) * (q - 1)):
            for digits in (str(secret), f"{secret:x}", f"{secret:X}"):
                assert digits[:16] not in shown


@pytest.mark.parametrize("options", [["--version"], ["info", "--help"], ["run", "--help"]])
def test_h67_no_option_takes_a_secret(main_here, options):
    shown = main_here(*options).stdout.lower()
    assert shown
    assert not re.search(r"--\S*(pass|secret|private|prime)", shown)


@pytest.mark.parametrize(
    ("target", "word"), [(".", "is a directory"), ("missing/result.json", "missing does not exist")]
)
def test_places_that_cannot_be_written_are_refused_at_once(main_here, tmp_path, target, word):
    fails(main_here("run", "--json", str(tmp_path / target)), word)


def test_h50_divergence_is_one_line(main_here):
    done = main_here(*SHORT[:-1], "50", "--backend", "packed", "--eta", "20")
    assert done.returncode == 2
    assert re.fullmatch(
        r"error: Hospital \d: its gradient grows .* lower --eta, or take --scale federated\..*\n", done.stderr
    )


@pytest.mark.parametrize(("eta", "iterations"), [("1e300", "3"), ("1e308", "1"), ("1e5", "60"), ("1e5", "80")])
@pytest.mark.parametrize("json_file", [[], ["--json", "-"]], ids=["table", "json"])
def test_h50_numbers_beyond_all_bounds_are_one_line(main_here, eta, iterations, json_file):
    done = main_here(*SHORT[:-1], iterations, "--backend", "naive", "--eta", eta, *json_file)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0] == done.stderr.splitlines()[-1]
    assert "lower --eta" in errors[0]
    assert not re.search("Traceback|warning: ", done.stderr)


def test_json_has_null_for_what_is_no_number(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"a": [1.5, float("nan")], "b": {"c": (float("inf"), np.float64("-inf"))}}, force=False)
    assert json.loads(path.read_text()) == {"a": [1.5, None], "b": {"c": [None, None]}}


@pytest.mark.parametrize("size", [1e200, 1e308])
def test_h63_columns_too_large_to_standardise_are_one_line(main_here, tmp_path, size):
    path = tmp_path / "data.csv"
    rows = [f"{i % 7},{'pqr'[i % 3]},{(i % 5 - 2) / 2 * size}" for i in range(60)]
    path.write_text("\n".join(["a,g,y", *rows]))
    fails(main_here("run", "--data", str(path), "--target", "y", "--group", "g", "--json", "-"), "too large")
