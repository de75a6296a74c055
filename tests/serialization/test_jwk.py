"""JSON Web Keys: phe's command line reads and writes the same bytes, and malformed ones are refused."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import phe
import pytest
from click.testing import CliRunner
from phe.command_line import cli as pheutil

import vecphe
from vecphe import InvalidKeyError, PrivateKey, PublicKey, SerializationError
from vecphe.serialization.jwk import integer_from_base64url, integer_to_base64url, parse_private_jwk, parse_public_jwk


@pytest.fixture(scope="module")
def phe_texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The private and the public file of a key that phe's command line made."""
    folder = tmp_path_factory.mktemp("keys")
    run_pheutil("genpkey", "--keysize", "512", folder / "private")
    run_pheutil("extract", folder / "private", folder / "public")
    return (folder / "private").read_text(), (folder / "public").read_text()


def run_pheutil(*args: object) -> str:
    done = CliRunner().invoke(pheutil, [str(arg) for arg in args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_phes_files_give_the_same_bytes_again(phe_texts: tuple[str, str]) -> None:
    private_text, public_text = phe_texts
    fields = json.loads(private_text)
    private_key = PrivateKey.from_jwk(private_text, insecure=True)
    public_key = PublicKey.from_jwk(public_text, insecure=True)
    assert private_key.public_key == public_key
    assert public_key.n == private_key.p * private_key.q
    assert private_key.to_jwk(fields["kid"], public_kid=fields["pub"]["kid"]) + "\n" == private_text
    assert public_key.to_jwk(fields["pub"]["kid"]) + "\n" == public_text


@pytest.mark.parametrize("kid", [None, "ward 7, \u00e5r 2"])
def test_phes_command_line_reads_ours(keypair: tuple[PublicKey, PrivateKey], tmp_path: Path, kid: str | None) -> None:
    files = private, public, number = [tmp_path / name for name in ("private", "public", "number")]
    private.write_text(keypair[1].to_jwk(kid))
    run_pheutil("extract", private, public)
    assert public.read_text() == keypair[0].to_jwk(kid) + "\n"
    run_pheutil("encrypt", public, "3.25", "--output", number)
    assert run_pheutil("decrypt", private, number).splitlines()[-1] == "3.25"
    assert all(file.exists() for file in files)


def test_text_bytes_and_dict_are_the_same(keypair: tuple[PublicKey, PrivateKey]) -> None:
    for key in keypair:
        text = key.to_jwk()
        for form in (text, text.encode(), json.loads(text)):
            assert type(key).from_jwk(form, insecure=True) == key
    assert (keypair[1].p, keypair[1].q) == parse_private_jwk(keypair[1].to_jwk())[1:]


def test_h02_short_keys_need_insecure(keypair: tuple[PublicKey, PrivateKey]) -> None:
    for key in keypair:
        with pytest.raises(InvalidKeyError, match="insecure=True"):
            type(key).from_jwk(key.to_jwk())


@pytest.mark.parametrize("value", [0, 1, 255, 256, 0xFBEFBE, 0xFFFFFF, 2**512 - 1, 2**511])
def test_numbers_are_shortest_base64url(value: int) -> None:
    data = value.to_bytes(max(-(-value.bit_length() // 8), 1), "big")
    text = integer_to_base64url(value)
    assert text == base64.b64encode(data, altchars=b"-_").decode().rstrip("=")
    assert integer_from_base64url(text, "n") == value


def test_leading_zero_bytes_are_allowed() -> None:
    assert integer_from_base64url("AAEC", "n") == 258


Change = Callable[[dict[str, Any]], Any]
PUBLIC_FAULTS: dict[str, tuple[Change, type[Exception], str]] = {
    "no kty": (lambda key: key.pop("kty"), InvalidKeyError, "kty"),
    "wrong kty": (lambda key: key.update(kty="RSA"), InvalidKeyError, "kty"),
    "kty of another type": (lambda key: key.update(kty=["DAJ"]), InvalidKeyError, "kty"),
    "no alg": (lambda key: key.pop("alg"), InvalidKeyError, "alg"),
    "wrong alg": (lambda key: key.update(alg="PAI-GN2"), InvalidKeyError, "alg"),
    "no n": (lambda key: key.pop("n"), SerializationError, "field n"),
    "n a number": (lambda key: key.update(n=35), SerializationError, "n of the key"),
    "n null": (lambda key: key.update(n=None), SerializationError, "n of the key"),
    "n empty": (lambda key: key.update(n=""), SerializationError, "base64url"),
    "n not base64url": (lambda key: key.update(n="ab+/"), SerializationError, "base64url"),
    "n padded": (lambda key: key.update(n="qw=="), SerializationError, "padding"),
    "n with a newline": (lambda key: key.update(n="abcd\n"), SerializationError, "base64url"),
    "n of impossible length": (lambda key: key.update(n="abcde"), SerializationError, "base64url"),
    "n with stray bits": (lambda key: key.update(n="qx"), SerializationError, "stray"),
    "n not ASCII": (lambda key: key.update(n="\u0661\u0661"), SerializationError, "base64url"),
    "n too long": (lambda key: key.update(n="A" * 5000), SerializationError, "longer"),
    "n zero": (lambda key: key.update(n="AA"), InvalidKeyError, "n must"),
    "kid a number": (lambda key: key.update(kid=7), SerializationError, "kid"),
    "key_ops a string": (lambda key: key.update(key_ops="encrypt"), SerializationError, "key_ops"),
    "key_ops of strings and numbers": (lambda key: key.update(key_ops=["encrypt", 1]), SerializationError, "key_ops"),
    "key_ops of numbers": (lambda key: key.update(key_ops=[1]), SerializationError, "key_ops"),
    "h13 private": (lambda key: key.update(p="Cw"), InvalidKeyError, "private"),
}
PRIVATE_FAULTS: dict[str, tuple[Change, type[Exception], str]] = {
    "wrong kty": (lambda key: key.update(kty="RSA"), InvalidKeyError, "kty"),
    "wrong alg": (lambda key: key.update(alg="RSA1_5"), InvalidKeyError, "alg"),
    "no p": (lambda key: key.pop("p"), SerializationError, "field p"),
    "no q": (lambda key: key.pop("q"), SerializationError, "field q"),
    "no pub": (lambda key: key.pop("pub"), SerializationError, "field pub"),
    "no key_ops": (lambda key: key.pop("key_ops"), SerializationError, "key_ops"),
    "key_ops for encryption": (lambda key: key.update(key_ops=["encrypt"]), InvalidKeyError, "decrypt"),
    "key_ops a string": (lambda key: key.update(key_ops="decrypt"), SerializationError, "key_ops"),
    "pub a string": (lambda key: key.update(pub="n"), SerializationError, "pub"),
    "pub wrong kty": (lambda key: key["pub"].update(kty="RSA"), InvalidKeyError, "kty"),
    "pub no alg": (lambda key: key["pub"].pop("alg"), InvalidKeyError, "alg"),
    "p not base64url": (lambda key: key.update(p="****"), SerializationError, "p of the key"),
    "q a number": (lambda key: key.update(q=11), SerializationError, "q of the key"),
    "h07 p = q": (lambda key: key.update(p=key["q"]), InvalidKeyError, "p \\* q"),
}


@pytest.mark.parametrize("fault", PUBLIC_FAULTS)
def test_h12_malformed_public_keys(public_key: PublicKey, fault: str) -> None:
    change, kind, words = PUBLIC_FAULTS[fault]
    fields = json.loads(public_key.to_jwk())
    assert PublicKey.from_jwk(fields, insecure=True) == public_key
    change(fields)
    for form in (fields, json.dumps(fields)):
        with pytest.raises(kind, match=words):
            PublicKey.from_jwk(form, insecure=True)


@pytest.mark.parametrize("fault", PRIVATE_FAULTS)
def test_h12_malformed_private_keys(private_key: PrivateKey, fault: str) -> None:
    change, kind, words = PRIVATE_FAULTS[fault]
    fields = json.loads(private_key.to_jwk())
    secrets = [str(private_key.p), str(private_key.q), fields["p"], fields["q"]]
    change(fields)
    for form in (fields, json.dumps(fields)):
        with pytest.raises(kind, match=words) as caught:
            PrivateKey.from_jwk(form, insecure=True)
        assert not any(secret in str(caught.value) for secret in secrets)


def test_h13_a_public_key_is_no_private_one(public_key: PublicKey) -> None:
    with pytest.raises(InvalidKeyError, match="public key"):
        PrivateKey.from_jwk(public_key.to_jwk(), insecure=True)


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "7", '"n"', "{} {}", '{"n": NaN}', "[" * 60_000, '{"n":' * 10_000, "1" * 60_000,
     '{"kty": "DAJ", "kty": "DAJ"}', "\ufeff{}", b"\xff\xfe{\x00}\x00", " " * 70_000, '{"pub": {"n": "", "n": ""}}',
     None, 5, ["kty"]],
    ids=lambda text: repr(text)[:12],
)  # fmt: skip
def test_h12_h37_what_is_no_json_object(text: Any) -> None:
    for parse in (parse_public_jwk, parse_private_jwk):
        with pytest.raises(SerializationError):
            parse(text)


def test_h12_a_doubled_field(public_key: PublicKey) -> None:
    text = public_key.to_jwk()
    with pytest.raises(SerializationError, match="twice"):
        PublicKey.from_jwk(text[:-1] + ', "n": "AQ"}', insecure=True)


def test_h12_keys_that_are_too_long(public_key: PublicKey) -> None:
    assert PublicKey.from_jwk(public_key.to_jwk("x" * 60_000), insecure=True) == public_key
    with pytest.raises(SerializationError, match="longer"):
        PublicKey.from_jwk(public_key.to_jwk("x" * 70_000), insecure=True)


def test_h12_holds_without_asserts(public_key: PublicKey) -> None:
    script = (
        "import json, sys\n"
        "from vecphe.errors import InvalidKeyError, SerializationError\n"
        "from vecphe.serialization.jwk import parse_private_jwk, parse_public_jwk\n"
        "good = json.loads(sys.argv[1])\n"
        "refused = 0\n"
        "for change in ({'kty': 'RSA'}, {'alg': 'RSA'}, {'n': '*'}, {'n': None}, {'p': 'Cw'}):\n"
        "    try: parse_public_jwk({**good, **change})\n"
        "    except (InvalidKeyError, SerializationError): refused += 1\n"
        "for key in ({**good}, {'kty': 'DAJ', 'key_ops': ['decrypt'], 'pub': good, 'p': 'Cw'}, sys.argv[1] * 2):\n"
        "    try: parse_private_jwk(key)\n"
        "    except (InvalidKeyError, SerializationError): refused += 1\n"
        "print(parse_public_jwk(good) > 0, refused, __debug__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", script, public_key.to_jwk()], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True 8 False\n"


def test_keys_go_to_phe_and_come_back(keypair: tuple[PublicKey, PrivateKey]) -> None:
    public, private = keypair[0].to_phe(phe), keypair[1].to_phe(phe)
    assert isinstance(public, phe.PaillierPublicKey)
    assert isinstance(private, phe.PaillierPrivateKey)
    assert private.decrypt(public.encrypt(-7.5)) == -7.5
    assert PublicKey.from_phe(public, insecure=True) == keypair[0]
    back = PrivateKey.from_phe(private, insecure=True)
    assert (back.p, back.q, back.public_key) == (keypair[1].p, keypair[1].q, keypair[0])


def test_keys_that_phe_made(keypair: tuple[PublicKey, PrivateKey]) -> None:
    public, private = phe.generate_paillier_keypair(n_length=512)
    key = PrivateKey.from_phe(private, insecure=True)
    assert key.decrypt(PublicKey.from_phe(public, insecure=True).encrypt([1.5, -2.0])).tolist() == [1.5, -2.0]


def test_what_is_not_shaped_like_phes_keys_is_refused(keypair: tuple[PublicKey, PrivateKey]) -> None:
    with pytest.raises(TypeError, match="has no n"):
        PublicKey.from_phe(7)
    with pytest.raises(TypeError, match="has no public_key"):
        PrivateKey.from_phe(keypair[0])
    with pytest.raises(TypeError, match="PaillierPublicKey"):
        keypair[0].to_phe(vecphe)
    with pytest.raises(TypeError, match="PaillierPrivateKey"):
        keypair[1].to_phe(vecphe)
    with pytest.raises(InvalidKeyError, match="insecure"):
        PublicKey.from_phe(phe.PaillierPublicKey(keypair[0].n))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("kty key_ops p q pub", ""),
        ("kty key_ops p q pub n", ""),  # a field that is not known there
        ("kty alg key_ops n", "this is a public key; pass the private one"),
        ("kty alg n", "this is a public key; pass the private one"),
        ("kty alg key_ops n p", "the private key has no field q"),
        ("kty alg key_ops n pub", "the private key has no field p"),
        ("kty alg n q", "the private key has no field key_ops"),
        ("kty alg key_ops", "the private key has no field p"),
        ("kty p q pub", "the private key has no field key_ops"),
        ("kty key_ops p q", "the private key has no field pub"),
    ],
)
def test_what_a_key_is_is_told_by_its_fields(private_key: PrivateKey, names: str, told: str) -> None:
    key = json.loads(private_key.to_jwk())
    fields = {**key, "alg": "PAI-GN1", "n": key["pub"]["n"]}
    jwk = {name: fields[name] for name in names.split()}
    if not told:
        assert PrivateKey.from_jwk(jwk, insecure=True) == private_key
    else:
        with pytest.raises((SerializationError, InvalidKeyError), match=told):
            PrivateKey.from_jwk(jwk, insecure=True)
    if {"p", "q", "pub"} & jwk.keys():
        with pytest.raises(InvalidKeyError, match="this is a private key; pass the public one"):
            PublicKey.from_jwk(jwk, insecure=True)
    elif "n" in jwk:
        assert PublicKey.from_jwk(jwk, insecure=True) == private_key.public_key
    else:
        with pytest.raises(SerializationError, match="the public key has no field n"):
            PublicKey.from_jwk(jwk, insecure=True)


def test_what_is_nothing_but_a_modulus_is_a_public_key(public_key: PublicKey) -> None:
    fields = json.loads(public_key.to_jwk())
    with pytest.raises(InvalidKeyError, match="this is a public key; pass the private one"):
        PrivateKey.from_jwk({"n": fields["n"]})
    assert PublicKey.from_jwk({**fields, "key_ops": []}, insecure=True) == public_key
