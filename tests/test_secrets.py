"""No private number and no plaintext in anything that is shown, or in a file: HAZARDS rows 14 and 69, and row 13."""

from __future__ import annotations

import copy
import logging
import math
import os
import pickle
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib.parallel import LokyBackend
from tests.engines import kinds_of_engines
from tests.toys import composite_after

import vecphe
from vecphe import EncryptedArray, FixedPoint, InvalidKeyError, PrivateKey, PublicKey
from vecphe.arithmetic import engine_named
from vecphe.federated import Client, Server, decrypt_vector, encrypt_vector
from vecphe.numbers.key_numbers import PrivateNumbers
from vecphe.system.parallel import run_tasks

PLAINTEXT = 918273645.125  # as an integer of the encodings below, too, it has digits of its own


def forms(number: int) -> set[str]:
    """The number as text, also cut off."""
    full = {str(number), f"{number:x}", f"{number:X}"}
    return full | {text[:16] for text in full} | {text[-16:] for text in full}


def forbidden_in_shown(private_key: PrivateKey) -> set[str]:
    p, q = private_key.p, private_key.q
    phi = (p - 1) * (q - 1)
    fractions = {int(PLAINTEXT * 2**bits) for bits in (40, 112)}
    # The upper half of phi is that of n.
    totients = {text for number in (phi, phi // math.gcd(p - 1, q - 1)) for text in forms(number)}
    return {"918273645"}.union(
        totients - {str(phi)[:16], f"{phi:x}"[:16], f"{phi:X}"[:16]}, *map(forms, (p, q, *fractions))
    )


def leaks(shown: str, private_key: PrivateKey) -> set[str]:
    return {digits for digits in forbidden_in_shown(private_key) if digits in shown}


def failing_operations(public_key: PublicKey, private_key: PrivateKey) -> list[Callable[[], Any]]:
    p, q, n = private_key.p, private_key.q, public_key.n
    other_public, other_private = vecphe.generate_keypair(512, insecure=True)
    narrow = FixedPoint(40, 2**10)
    c, packed = public_key.encrypt([1.0, PLAINTEXT]), public_key.encrypt([3.0, 4.0], packed=True)
    secret = np.array([0.0, PLAINTEXT])
    loud = (1 + int(PLAINTEXT) * n) * pow(3, n, n * n) % (n * n)
    too_large = public_key.from_ciphertexts([loud], encoding=FixedPoint(0, 5))
    padded = public_key.from_ciphertexts([loud], shape=(1,), packed=True, encoding=FixedPoint(0, 5))
    broken = public_key.encrypt(secret)
    broken._residues = public_key._context.ring.load([1, p])
    keys: list[Callable[[], Any]] = [
        *(
            lambda pair=pair: PrivateKey(public_key, *pair)
            for pair in ((p, composite_after(q)), (p, p), (1, n), (str(p), q))
        ),
        *(lambda pair=pair: PrivateKey(other_public, *pair) for pair in ((p, q), (float(p), q), (p, None))),
        *(lambda n=n: PublicKey(n, insecure=True) for n in (p, p * p, 3 * p, -p, str(p), [p, q], float(p))),
        *(lambda a=a: PrivateKey(a, p, q) for a in (private_key, private_key._numbers, n, None)),
        *(lambda held=held: pickle.dumps(held) for held in (private_key, private_key._numbers, private_key._decryptor)),
        lambda: pickle.dumps(copy.deepcopy({"key": private_key})),
        lambda: pickle.dumps({"key": [private_key]}),
        lambda: run_tasks(len, [([private_key],)] * 2, LokyBackend(nesting_level=0), "processes", 2),
    ]
    plaintexts: list[Callable[[], Any]] = [
        lambda: public_key.encrypt(secret, packed=True),
        lambda: public_key.encrypt(secret, encoding=narrow),
        lambda: public_key.encrypt(secret.astype(np.int64), encoding=FixedPoint(0, 8)),
        lambda: public_key.encrypt([PLAINTEXT, np.nan]),
        lambda: public_key.encrypt([PLAINTEXT, None]),
        lambda: public_key.encrypt([str(PLAINTEXT)]),
        lambda: public_key.encrypt(np.array([PLAINTEXT, "1"], dtype=object)),
        lambda: public_key.encrypt([PLAINTEXT + 1j]),
        lambda: packed + PLAINTEXT,
        lambda: packed - secret,
        lambda: c + np.array([PLAINTEXT, np.inf]),
        lambda: c + np.array([PLAINTEXT, 1.0, 2.0]),
        lambda: packed + np.array([PLAINTEXT, 1.0, 2.0]),
        lambda: public_key.encrypt([1], packed=True) + np.array([PLAINTEXT]),
    ]
    decryptions: list[Callable[[], Any]] = [
        lambda: private_key.decrypt(too_large),
        lambda: private_key.decrypt(padded),
        lambda: private_key.decrypt(broken),
        lambda: private_key.decrypt(other_public.encrypt(secret)),
        lambda: other_private.decrypt(c),
        lambda: private_key.decrypt(secret),  # type: ignore[arg-type]
        lambda: private_key.decrypt(c, n_jobs=0),
        lambda: public_key.from_ciphertexts([p]),
        lambda: public_key.from_ciphertexts([c.ciphertexts()[0], q * 5]),
        lambda: public_key.from_ciphertexts([p], shape=(3,)),
        lambda: engine_named("gmp").decryptor(p, q).decrypt(engine_named("gmp").ring(n), _gmp_batch(n, p), 0),
        lambda: c * c,
        lambda: bool(c),
        lambda: float(c[1]),
        lambda: c == PLAINTEXT,
        lambda: c < c,
        lambda: packed[0],
    ]
    return keys + plaintexts + decryptions


def _gmp_batch(n: int, value: int) -> Any:
    return engine_named("gmp").ring(n).load([value])


def test_h14_no_private_digits_in_anything_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("application")
    shown = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        public_key, private_key = vecphe.generate_keypair(512, insecure=True)
        for number, operation in enumerate(failing_operations(public_key, private_key)):
            try:
                operation()
            except Exception as error:
                logger.exception("operation %d failed: %r", number, error)
                shown += [str(error), repr(error), repr(error.args), repr(vars(error))]
                shown += traceback.format_exception(error)
            else:
                pytest.fail(f"operation {number} did not fail")
    shown += [str(warning.message) for warning in caught]
    assert caught
    assert len(caplog.records) == number + 1 > 40
    assert leaks("\n".join([*shown, caplog.text]), private_key) == set()


def test_h14_no_private_digits_in_what_objects_show(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    server = Server(256, insecure=True)
    arrays = [public_key.encrypt([PLAINTEXT]), public_key.encrypt([PLAINTEXT]) * 2 + PLAINTEXT]
    things = [public_key, private_key, private_key._numbers, public_key._numbers, private_key._decryptor, *arrays]
    things += [arrays[0].format, arrays[0].encoding, public_key._source, server, server.privkey, server.pubkey]
    shown = [repr(vars(thing)) for thing in (private_key, public_key, server, server.privkey, server.pubkey)]
    for thing in things:
        logging.getLogger("application").debug("%s %r %s", thing, thing, [thing])
        shown += [f"{thing}", repr({"thing": thing})]
    assert leaks("\n".join([*shown, caplog.text]), private_key) == set()
    inner = server.privkey._private_key  # type: ignore[attr-defined]
    assert leaks("\n".join([*shown, caplog.text]), inner) == set()


def test_h14_the_check_finds_what_leaks() -> None:
    """A control: what looks for leaks must see one."""
    _, private_key = vecphe.generate_keypair(512, insecure=True)
    p, q = private_key.p, private_key.q
    for leaky in (f"p = {q}", f"{p:x}", str((p - 1) * (q - 1)), repr(918273645.125), f"... {str(p)[:16]} ..."):
        assert leaks(leaky, private_key)
    assert not leaks(repr(private_key), private_key)


def test_h14_private_numbers_have_no_representation() -> None:
    assert repr(PrivateNumbers(1019, 1031)) == str(PrivateNumbers(1019, 1031)) == "PrivateNumbers(...)"


def test_h13_keys_in_each_others_place(keypair: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = keypair
    server = Server(256, insecure=True)
    data = np.ones((4, 2)), np.ones(4)
    vector = encrypt_vector(server.pubkey, [1.0, 2.0])
    for wrong in (private_key, public_key, private_key._numbers, None):
        with pytest.raises(InvalidKeyError, match="n must be an int"):
            PublicKey(wrong)  # type: ignore[arg-type]
    operations: list[Callable[[], Any]] = [
        lambda: PrivateKey(private_key, private_key.p, private_key.q),  # type: ignore[arg-type]
        lambda: PrivateKey(public_key._numbers, private_key.p, private_key.q),  # type: ignore[arg-type]
        lambda: Client("Hospital 1", *data, server.privkey),  # type: ignore[arg-type]
        lambda: Client("Hospital 1", *data, public_key),  # type: ignore[arg-type]
        lambda: encrypt_vector(server.privkey, [1.0]),  # type: ignore[arg-type]
        lambda: decrypt_vector(server.pubkey, vector),  # type: ignore[arg-type]
        lambda: decrypt_vector(public_key, vector),  # type: ignore[arg-type]
    ]
    for operation in operations:
        with pytest.raises(TypeError, match=r"must be (a|of class)"):
            operation()
    assert not hasattr(public_key, "decrypt")
    assert not hasattr(private_key, "encrypt")
    assert isinstance(public_key.encrypt(1.0), EncryptedArray)


# Says what is opened to be written to, in the process and in its workers.
WATCHED = """
import os, sys, warnings

def watch(event, arguments):
    import os
    if event != "open" or type(arguments[0]) is int or arguments[0] == os.devnull:
        return
    if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        os.write(2, f"wrote {arguments[0]}\\n".encode())

def start():
    import sys
    sys.addaudithook(watch)

start()
import joblib, numpy as np, vecphe
from vecphe.system import parallel

def main(backend):
    warnings.simplefilter("ignore")
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    engine = public_key._context.engine
    engine.tuning = type(engine.tuning)("processes", 4, 4, 8, 1, 1.0, 4, 4)
    places, original = [], parallel.run_tasks

    def recorded(function, tasks, backend, place, jobs):
        places.append(place)
        return original(function, tasks, backend, place, jobs)

    parallel.run_tasks = recorded
    with joblib.parallel_config(backend=backend, n_jobs=2, max_nbytes=1, initializer=start):
        c = public_key.encrypt(np.ones((20, 30)))
        total = c.sum() + (np.full((3, 20), 7) @ c).sum()
        assert private_key.decrypt(public_key.from_ciphertexts(total.ciphertexts())) == 600 * 22
        assert (private_key.decrypt(c) == 1).all()
        (c * 2).to_bytes()
    assert places == ["processes"] * 7, places

if __name__ == "__main__":
    main(sys.argv[1])
    print("done")
    if len(sys.argv) > 2:
        with joblib.parallel_config(backend=sys.argv[1], max_nbytes=1):
            joblib.Parallel(2)(joblib.delayed(len)(np.zeros(999)) for _ in range(2))
"""


@pytest.mark.parametrize("engine", kinds_of_engines())
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_h69_no_value_reaches_a_file_on_its_way_to_a_worker(tmp_path: Path, backend: str, engine: str) -> None:
    done = run_watched(tmp_path, engine, backend)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert done.stderr == ""


def test_h69_the_check_sees_a_file(tmp_path: Path) -> None:
    """A control: what joblib does with an array by default."""
    assert f"wrote {tmp_path}/joblib_memmapping" in run_watched(tmp_path, "gmp", "loky", "array").stderr


def run_watched(folder: Path, engine: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(WATCHED)
    environment = os.environ | {"VECPHE_ENGINE": engine, "JOBLIB_TEMP_FOLDER": str(folder), "TMPDIR": str(folder)}
    command = [sys.executable, "-B", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
