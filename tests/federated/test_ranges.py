"""Encodings that an expert sets, and errors that name the argument that exists at that place."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

from vecphe import FixedPoint
from vecphe.cli.app import app
from vecphe.errors import ProtocolError
from vecphe.federated import (
    Client,
    FederatedLinearRegression,
    PackedBackend,
    Server,
    VectorizedBackend,
    federated_learning,
)
from vecphe.federated.backends import backend_named
from vecphe.federated.interface import EncryptionKey

SHORT = {"key_length": 256, "insecure": True, "n_clients": 3, "n_iter": 1}


def far():
    """Gradients around 10^5, beyond the 2^15 that are encoded by default."""
    rng = np.random.default_rng(0)
    X = [np.column_stack([rng.normal(size=6), np.ones(6)]) for _ in range(3)]
    return X, [1e5 + rng.normal(size=6) for _ in range(3)], X[0], np.full(6, 1e5)


def test_a_range_is_an_option_of_a_run():
    with pytest.raises(ProtocolError, match=r"Hospital 1: its gradient cannot be encoded.*lower eta.*max_abs=1048576"):
        federated_learning(*far(), SHORT)
    result = federated_learning(*far(), {**SHORT, "max_abs": 1048576})  # as the message says
    exact = federated_learning(*far(), {**SHORT, "backend": "vectorized"})
    np.testing.assert_allclose(result.weights, exact.weights, rtol=1e-12)
    coarse = federated_learning(*far(), {**SHORT, "encoding": FixedPoint(4, 2**20, 3)})
    np.testing.assert_allclose(coarse.weights / 1.5, exact.weights / 1.5, atol=1 / 16)
    assert not np.allclose(coarse.weights, exact.weights, rtol=0, atol=1e-6)


def test_a_range_is_a_parameter_of_estimators():
    X, y, *_ = far()
    rows = np.concatenate(X)[:, :1], np.concatenate(y)
    with pytest.raises(ProtocolError, match="max_abs=1048576"):
        FederatedLinearRegression(**SHORT).fit(*rows)
    model = FederatedLinearRegression(**SHORT, max_abs=1048576).fit(*rows)
    other = FederatedLinearRegression(**SHORT, encoding=FixedPoint(40, 2**20, 3)).fit(*rows)
    np.testing.assert_array_equal(model.coef_, other.coef_)


def test_a_range_is_an_argument_of_a_server():
    X, y, *_ = far()
    server = Server(256, insecure=True)
    client = Client("A", X[0], y[0], server.pubkey)
    with pytest.raises(ProtocolError, match="max_abs=1048576"):
        client.encrypted_gradient()
    wider = Server(256, insecure=True, max_abs=1048576, max_terms=7)
    vector = Client("A", X[0], y[0], wider.pubkey).encrypted_gradient()
    assert vector.array.encoding == FixedPoint(40, 1048576, 7)


def test_backends_of_ones_own_are_made_with_another_encoding():
    backend = PackedBackend(encoding=FixedPoint(20, 64, 3))
    with pytest.raises(ProtocolError) as caught:
        federated_learning(*far(), {**SHORT, "backend": backend})
    (typed,) = re.findall(r"backend=(PackedBackend\(.*?\)\))", str(caught.value))
    assert eval(typed).encoding == FixedPoint(20, 2048, 3)


def test_who_was_sent_a_key_asks_for_another():
    X, y, *_ = far()
    key = EncryptionKey.from_bytes(Server(256, insecure=True).pubkey.to_bytes(), insecure=True)
    with pytest.raises(ProtocolError, match="ask who made the key"):
        Client("A", X[0], y[0], key).encrypted_gradient()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_terms": 2}, "max_terms=2 has no room for 3 clients: max_terms=3"),
        ({"encoding": FixedPoint(40, 64, 2)}, "max_terms=2 has no room for 3 clients"),
        ({"backend": PackedBackend(2)}, "max_terms=2 has no room for 3 clients"),
        ({"max_abs": -1.0}, "max_abs must be positive"),
        ({"max_abs": "5"}, "max_abs must be a real number"),
        ({"max_terms": 5.5}, "max_terms must be an int"),
        ({"backend": "naive", "max_abs": 5.0}, "leave out max_abs"),
        ({"backend": "naive", "encoding": FixedPoint()}, "leave out encoding"),
        ({"backend": PackedBackend(), "max_terms": 5}, "leave out max_terms"),
        ({"backend": VectorizedBackend(), "encoding": FixedPoint()}, "leave out encoding"),
    ],
)
def test_ranges_that_do_not_fit_are_refused_before_a_key_is_made(monkeypatch, options, message):
    monkeypatch.setattr("vecphe.federated.protocol.Server", None)
    with pytest.raises(ValueError, match=message):
        federated_learning(*far(), {**SHORT, **options})


def test_an_encoding_is_a_fixed_point():
    with pytest.raises(TypeError, match="encoding must be a FixedPoint"):
        federated_learning(*far(), {**SHORT, "encoding": 40})
    assert backend_named("vectorized", max_abs=8).encoding == FixedPoint(112, 8)
    assert backend_named("packed", 3, max_terms=3).encoding == FixedPoint(max_terms=3)


def run(*args):
    options = ["--key-length", "256", "--insecure", "--backend", "packed", "--iterations", "2"]
    return CliRunner().invoke(app, ["run", *options, *map(str, args)])


def test_the_command_line_has_them_too():
    assert run("--max-abs", 200, "--max-terms", 9).exit_code == 0
    assert run("--fraction-bits", 20).exit_code == 0
    result = run("--max-abs", 1)
    assert result.exit_code == 2
    assert "cannot be encoded" in result.output
    assert "--max-abs 32" in result.output
    assert "--max-terms 5" in run("--max-terms", 4).output
    assert "--fraction-bits must be a multiple of 4" in run("--fraction-bits", 7).output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--eta", -1], "--eta must be positive and finite"),
        (["--l2", -1], "--l2 must be at least 0"),
        (["--tol", -1], "--tol must be at least 0"),
        (["--fraction-bits", 7], "--fraction-bits must be a multiple of 4"),
        (["--max-terms", 0], "--max-terms must be at least 1"),
        (["--max-abs", -1], "--max-abs must be positive"),
        (["--max-abs", 1e300], "use fewer --fraction-bits, a smaller --max-abs or a smaller --max-terms"),
        (["--clients", 400], "cannot be shared out to --clients 400"),
        (["--scale", "federated", "--max-abs", 1e-11], "a larger --max-abs or more --fraction-bits, or leave columns"),
    ],
)
def test_the_command_line_names_its_own_options(options, told):
    result = run(*options)
    assert result.exit_code == 2
    error = result.output.splitlines()[-1]
    assert told in error
    assert not re.search(r"(?<![\w-])(n_clients|n_samples|max_abs|max_terms|fraction_bits|eta|tol|l2)\b", error)


def test_columns_that_are_called_like_arguments_keep_their_names(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("eta,max_abs\n" + "".join(f"{i}e25,{i}\n" for i in range(1, 30)))
    result = run("--data", path, "--target", "max_abs")
    assert "'eta' is too large to be scaled" in result.output
