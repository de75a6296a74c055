"""`vecphe inspect`: the facts about a file, and no secret."""

import json

import pytest

import vecphe
from vecphe.serialization import frame_with_columns, passphrase


@pytest.fixture(scope="module")
def keypair():
    return vecphe.generate_keypair(512, insecure=True)


def test_arrays(main_here, tmp_path, keypair):
    path = str(tmp_path / "x")
    (keypair[0].encrypt([[1, 2, 3]], packed=True) + keypair[0].encrypt([[1, 2, 3]], packed=True)).save(path)
    facts = json.loads(main_here("inspect", path).stdout)
    assert facts == {
        "kind": "array", "fingerprint": keypair[0].fingerprint, "key_length": 512, "shape": [1, 3], "values": 3,
        "packed": True, "slots": 7, "integer": True, "fraction_bits": 0, "terms": 2, "ciphertext_bytes": 128,
    }  # fmt: skip
    keypair[0].encrypt([0.5]).save(tmp_path / "y.json")
    facts = json.loads(main_here("inspect", str(tmp_path / "y.json")).stdout)
    assert (facts["packed"], facts["slots"], facts["fraction_bits"], facts["integer"]) == (False, 1, 112, False)


@pytest.mark.parametrize("form", ["binary", "json", "jwk"])
def test_keys(main_here, tmp_path, keypair, form):
    path = tmp_path / "key"
    for key, kind in zip(keypair, ("public key", "private key"), strict=True):
        text = key.to_jwk() if form == "jwk" else key.to_json() if form == "json" else None
        path.write_bytes(key.to_bytes() if text is None else text.encode())
        done = main_here("inspect", str(path))
        facts = json.loads(done.stdout)
        assert facts["kind"].startswith(kind)
        assert facts["fingerprint"] == keypair[0].fingerprint
        assert facts.keys() <= {"kind", "fingerprint", "key_length"}
        assert facts.get("key_length", 512) == 512


@pytest.mark.parametrize("form", ["binary", "json", "jwk"])
def test_what_each_key_tells(main_here, tmp_path, keypair, form):
    path = tmp_path / "key"
    for key, kind in zip(keypair, ("public key", "private key"), strict=True):
        path.write_bytes({"binary": key.to_bytes, "json": key.to_json().encode, "jwk": key.to_jwk().encode}[form]())
        has_length = form == "jwk" or kind == "public key"
        assert json.loads(main_here("inspect", str(path)).stdout) == {
            "kind": f"{kind} (JSON Web Key)" if form == "jwk" else kind,
            "fingerprint": keypair[0].fingerprint,
            **({"key_length": 512} if has_length else {}),
        }


def test_what_each_array_tells(main_here, tmp_path, keypair):
    path = tmp_path / "x"
    for array, facts in (
        (keypair[0].encrypt([[0.5], [1.5]]), {"fraction_bits": 112, "ciphertext_bytes": 256}),
        (keypair[0].encrypt([[7], [8]]), {"integer": True, "fraction_bits": 0, "ciphertext_bytes": 256}),
    ):
        path.write_bytes(frame_with_columns(array.to_bytes(), ("a",)))
        assert json.loads(main_here("inspect", str(path)).stdout) == {
            "kind": "array", "fingerprint": keypair[0].fingerprint, "key_length": 512, "shape": [2, 1], "values": 2,
            "packed": False, "slots": 1, "integer": False, "terms": 1, "columns": ["a"], **facts,
        }  # fmt: skip


def test_a_sealed_key_tells_no_more(main_here, tmp_path, keypair, monkeypatch):
    monkeypatch.setattr(passphrase, "LOG2_N", 10)
    (tmp_path / "key").write_bytes(keypair[1].to_bytes(passphrase="words"))
    facts = json.loads(main_here("inspect", str(tmp_path / "key")).stdout)
    assert facts == {"kind": "sealed private key", "fingerprint": keypair[0].fingerprint}


def test_h07_a_fingerprint_that_is_not_that_of_the_primes_is_not_shown(main_here, tmp_path, keypair):
    path = tmp_path / "key"
    content = json.loads(keypair[1].to_jwk())
    content["pub"]["n"] = json.loads(vecphe.generate_keypair(512, insecure=True)[0].to_jwk())["n"]
    path.write_text(json.dumps(content))
    done = main_here("inspect", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}: p * q" in done.stderr


@pytest.mark.parametrize(
    "content",
    [b"", b"lorem", b"\x00\xff", b'{"kty": "RSA"}', b"{}", b"\x89VECPHE\n"],
    ids=lambda content: repr(content),
)
def test_h63_other_files_are_one_line(main_here, tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    for name in (path, tmp_path, tmp_path / "missing"):
        done = main_here("inspect", str(name))
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert str(name) in done.stderr
        assert done.stderr.count("\n") == 1
