"""What the errors of arrays, plaintexts and encodings tell people to write is run here, as it is written there."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pytest
import scipy.sparse

import vecphe
from vecphe import EncryptedArray, FixedPoint, PrivateKey, PublicKey

Keypair = tuple[PublicKey, PrivateKey]

BIG = 2**60 + 1
MASKED = numpy.ma.masked_array([1.0, 2.0], [True, False])
RECORDS = numpy.array([(1, 2.5)], dtype=[("age", int), ("weight", float)])


class Case:
    """An operation that fails, what its error says to write, and expressions that follow it, with their values."""

    def __init__(self, failing: str, said: str, written: str | list[str], *expected: Any, **names: Any) -> None:
        self.failing, self.said, self.expected = failing, said, expected
        self.written = [written] if isinstance(written, str) else written
        self.names = names

    def __repr__(self) -> str:
        return self.failing


CASES = [
    # Plaintexts
    Case("public_key.encrypt(x)", "numpy.asarray(x, dtype=float)", "public_key.encrypt(numpy.asarray(x, dtype=float))",
         [1.5], x=["1.5"]),
    Case("public_key.encrypt(x)", "numpy.asarray(x, dtype=float)", "public_key.encrypt(numpy.asarray(x, dtype=float))",
         [1.5], x=[Decimal("1.5")]),
    Case("public_key.encrypt(x)", "numpy.asarray(x, dtype=float)", "public_key.encrypt(numpy.asarray(x, dtype=float))",
         [1.5], x=numpy.array(["1.5"], dtype=object)),
    Case("public_key.encrypt(x)", "numpy.asarray(x, dtype=float)", "public_key.encrypt(numpy.asarray(x, dtype=float))",
         [1.5], x=numpy.array([1.5], dtype=numpy.longdouble)),
    Case("public_key.encrypt(x)", "numpy.asarray(x, dtype=float)", "public_key.encrypt(numpy.asarray(x, dtype=float))",
         [18262.0], x=numpy.array(["2020-01-01"], dtype="datetime64[D]")),
    Case("c + x", "numpy.asarray(x, dtype=float)", "c + numpy.asarray(x, dtype=float)", [1.5, 2.5], x=Decimal("0.5")),
    Case("public_key.encrypt(x)", "numpy.real(x) and numpy.imag(x) apart",
         ["public_key.encrypt(numpy.real(x))", "public_key.encrypt(numpy.imag(x))"], [1.0], [2.0], x=[1 + 2j]),
    Case("c + x", "numpy.real(x) and numpy.imag(x) apart", ["c + numpy.real(x)", "c + numpy.imag(x)"],
         [1.0, 2.0], [2.0, 3.0], x=1j),
    Case("public_key.encrypt(x)", "x[name]", ["public_key.encrypt(x[name]) for name in x.dtype.names"], [[1], [2.5]],
         x=RECORDS),
    Case("public_key.encrypt(x)", "x.filled(value)", "public_key.encrypt(x.filled(value))", [7.0, 2.0], x=MASKED,
         value=7.0),
    *(Case(f"x {sign} c", "x.filled(value)", f"x.filled(value) {sign} c", expected, x=MASKED, value=7.0)
      for sign, expected in (("+", [8.0, 4.0]), ("-", [6.0, 0.0]), ("*", [7.0, 4.0]))),
    Case("x @ c", "x.filled(value)", "x.filled(value) @ c", 11.0, x=MASKED, value=7.0),
    Case("public_key.encrypt(x)", "part.filled(value)", "public_key.encrypt([part.filled(value) for part in x])",
         [[7.0, 2.0]] * 2, x=[MASKED, MASKED], value=7.0),
    Case("public_key.encrypt(x)", "x.toarray()", "public_key.encrypt(x.toarray())", [[0.0, 2.0]],
         x=scipy.sparse.csr_array([[0.0, 2.0]])),
    Case("public_key.encrypt(x)", "{key: public_key.encrypt(value) for key, value in x.items()}",
         "{key: public_key.encrypt(value) for key, value in x.items()}['w']", [1.0, 2.0], x={"w": [1.0, 2.0]}),
    *(Case("public_key.encrypt(x)", "list(x)", "public_key.encrypt(list(x))", [1.0], x=x)
      for x in ({1.0}, {"w": 1.0}.values(), map(float, "1"))),
    Case("public_key.encrypt(x)", "[public_key.encrypt(part) for part in x]",
         ["public_key.encrypt(part) for part in x"], [[[0.0, 0.0]], [1.0]], x=[numpy.zeros((1, 2)), numpy.ones(1)]),
    Case("public_key.encrypt(x)", "numpy.concatenate([numpy.ravel(part) for part in x])",
         "public_key.encrypt(numpy.concatenate([numpy.ravel(part) for part in x]))", [0.0, 0.0, 1.0],
         x=[numpy.zeros((1, 2)), numpy.ones(1)]),
    Case("c + x", "numpy.concatenate([numpy.ravel(part) for part in x])",
         "public_key.encrypt(numpy.ones(3)) + numpy.concatenate([numpy.ravel(part) for part in x])", [1.0, 1.0, 2.0],
         x=[numpy.zeros((1, 2)), numpy.ones(1)]),
    Case("public_key.encrypt([BIG, 0.5])", "encrypt the integers and the fractions as arrays of their own",
         ["public_key.encrypt([BIG])", "public_key.encrypt([0.5])"], [BIG], [0.5]),
    Case("c + [BIG, 0.5]", "arrays of their own", "public_key.encrypt([1]) + [BIG]", [BIG + 1]),
    Case("public_key.encrypt([2.0**70])", "encoding=FixedPoint(..., max_abs=...)",
         "public_key.encrypt([2.0**70], encoding=FixedPoint(0, max_abs=2**71))", [2.0**70]),
    Case("public_key.encrypt([2.0**70])", "scale the data", "public_key.encrypt([2.0**70 / 2**10])", [2.0**60]),
    Case("c + 2**70", "encrypt with encoding=FixedPoint(..., max_abs=...)",
         "public_key.encrypt([1.5], encoding=FixedPoint(40, max_abs=2**71)) + 2**70", [2.0**70]),
    # Encodings and layouts
    Case("FixedPoint(0, 0.1)", "use more of them", "public_key.encrypt([0.1], encoding=FixedPoint(60, 0.1)) * 10",
         [1.0]),
    Case("FixedPoint(41)", "multiple of 4", "public_key.encrypt([1.0], encoding=FixedPoint(44))", [1.0]),
    Case("public_key.encrypt([1.0], encoding=FixedPoint(400, 2**200))", "an encoding with less of either",
         ["public_key.encrypt([1.0], encoding=FixedPoint(300, 2**200))",
          "public_key.encrypt([1.0], encoding=FixedPoint(400, 2**100))"], [1.0], [1.0]),
    Case("public_key.encrypt([1.0], packed=True, encoding=FixedPoint(300, 2**200, 2**40))",
         "use fewer fraction_bits, a smaller max_abs or a smaller max_terms",
         [f"public_key.encrypt([1.0], packed=True, encoding=FixedPoint({of}))"
          for of in ("200, 2**200, 2**40", "300, 2**150, 2**40", "300, 2**200, 2**8")], [1.0], [1.0], [1.0]),
    # Operands and operators
    *(Case(f"x {sign}= c", "write x = x + c", f"x {sign} c", expected, x=numpy.array([2.0, 4.0]))
      for sign, expected in (("+", [3.0, 6.0]), ("-", [1.0, 2.0]), ("*", [2.0, 8.0]), ("@", 10.0))),
    Case("numpy.maximum(x, c)",
         "there are c + x, c - x, c * x, c / x, x @ c, c + c, c - c, c.sum(), c.mean(), and functions that move",
         ["c + x", "c - x", "c * x", "c / x", "x @ c", "c + c", "c - c", "c.sum()", "c.mean()", "numpy.flip(c)"],
         [3.0, 6.0], [-1.0, -2.0], [2.0, 8.0], [0.5, 0.5], 10.0, [2.0, 4.0], [0.0, 0.0], 3.0, 1.5, [2.0, 1.0],
         x=numpy.array([2.0, 4.0])),
    Case("numpy.where(c, 1, 2)", "numpy.where(mask, c, x)", "numpy.where(mask, c, x)", [1.0, 9.0],
         mask=[True, False], x=9.0),
    Case("numpy.take(c, [0], out=x)", "leave out= away", "numpy.take(c, [0])", [1.0], x=numpy.zeros(1)),
    Case("m * x", "write @ for *", "m @ x", [[2.0, 1.0]], x=scipy.sparse.csr_array([[2.0, 1.0]]).tocsr(),
         spmatrix=True),
    Case("m * x", "x.toarray() for x", "m * x.toarray()", [[2.0, 1.0]], x=scipy.sparse.csr_array([[2.0, 1.0]]),
         spmatrix=True),
    Case("x @ numpy.asarray(c)", "numpy.asarray(x) @ c", "numpy.asarray(x) @ c", 10.0, x=[2.0, 4.0]),
    Case("numpy.mean([c, d], axis=0)", "numpy.mean(numpy.stack([c, d]), axis=0)",
         "numpy.mean(numpy.stack([c, d]), axis=0)", [2.0, 3.0]),
    Case("c / 2**1200", "divide in steps: c / 2**1000 / 2**1000",
         "public_key.encrypt([2.0], encoding=FixedPoint(0, 2)) / 2**100 / 2**100 * 2**200", [2.0]),
    Case("c[0] = 5", "c[i] = c.public_key.encrypt(x)", "c.__setitem__(0, c.public_key.encrypt(5)) or c", [5.0, 2.0]),
    Case("vecphe.concatenate([c, [1.0]])", "encrypt plain ones first",
         "vecphe.concatenate([c, public_key.encrypt([1.0])])", [1.0, 2.0, 1.0]),
    Case("numpy.stack([c, [1.0, 2.0]])", "encrypt plain ones first", "numpy.stack([c, public_key.encrypt([1.0, 2.0])])",
         [[1.0, 2.0], [1.0, 2.0]]),
    # Packed arrays
    *(Case(failing, "encrypt with packed=False", failing.replace("p", "c", 1), expected)
      for failing, expected in (("p[0]", 1.0), ("p * [0.5, 2.0]", [0.5, 4.0]), ("p.sum()", 3.0), ("p @ [1, 2]", 5.0))),
    Case("p + c", "encrypt both the same way", "c + c", [2.0, 4.0]),
    Case("public_key.encrypt(x, packed=True) + public_key.encrypt([0.5], packed=True)",
         "encrypt both the same way: the integers as floats, x.astype(float)",
         "public_key.encrypt(x.astype(float), packed=True) + public_key.encrypt([0.5], packed=True)", [1.5],
         x=numpy.array([1])),
    Case("public_key.encrypt([1], packed=True) + 0.5", "encrypt it as floats, or with packed=False",
         ["public_key.encrypt([1.0], packed=True) + 0.5", "public_key.encrypt([1]) + 0.5"], [1.5], [1.5]),
    Case("p * 300", "encrypt with a larger max_terms: encoding=FixedPoint(40, max_abs=32768, max_terms=131072)",
         "public_key.encrypt([1.0], packed=True, encoding=FixedPoint(40, max_abs=32768, max_terms=131072)) * 300",
         [300.0]),
    Case("p * 0.3", f"encoding=FixedPoint(40, max_abs=32768, max_terms={2**59})",
         f"public_key.encrypt([1.0], packed=True, encoding=FixedPoint(40, max_abs=32768, max_terms={2**59})) * 0.3",
         [0.3]),
    Case("p * 300.5", f"encoding=FixedPoint(40, max_abs=32768, max_terms={2**21})",
         "sum(public_key.encrypt([1.0], packed=True, "
         f"encoding=FixedPoint(40, max_abs=32768, max_terms={2**21})) * 300.5 for _ in range(9)) / 9", [[300.5]]),
    Case("p * 10**30", "no max_terms is enough for this key; encrypt with packed=False, or multiply by integers and "
         "divide once, as (c1 * n1 + c2 * n2) / (n1 + n2)",
         ["public_key.encrypt([1.0]) * 10**30", "(p * 3 + p * 7) / (3 + 7)"], [1e30], [1.0, 2.0]),
    Case("p / 1e-30", "no max_terms is enough for this key", "public_key.encrypt([2.0]) / 2**-100", [2.0**101]),
    # Range
    Case("public_key.encrypt([1.0], encoding=FixedPoint(300, 2**200)) * 2**20",
         "use a longer key, an encoding with fewer fraction_bits, a smaller max_abs, or fewer products",
         ["public_key.encrypt([1.0], encoding=FixedPoint(200, 2**200)) * 2**20",
          "public_key.encrypt([1.0], encoding=FixedPoint(300, 2**100)) * 2**20",
          "public_key.encrypt([1.0], encoding=FixedPoint(300, 2**200))"], [2.0**20], [2.0**20], [1.0]),
    # What no one should have to know
    Case("EncryptedArray([1.0])", "public_key.encrypt(x) makes one", "public_key.encrypt([1.0])", [1.0]),
    Case("EncryptedArray()", "public_key.encrypt(x) makes one", "public_key.encrypt([1.0])", [1.0]),
    Case("EncryptedArray.load(path)", "EncryptedArray.load(public_key, path)", "EncryptedArray.load(public_key, path)",
         [1.0, 2.0]),
    Case("EncryptedArray.load(public_key)", "EncryptedArray.load(public_key, path)",
         "EncryptedArray.load(public_key, path)", [1.0, 2.0]),
    Case("EncryptedArray.load(path, public_key)", "EncryptedArray.load(public_key, path)",
         "EncryptedArray.load(public_key, path)", [1.0, 2.0]),
    Case("EncryptedArray.from_bytes(data)", "EncryptedArray.from_bytes(public_key, data)",
         "EncryptedArray.from_bytes(public_key, data)", [1.0, 2.0]),
    Case("EncryptedArray.from_json(text)", "EncryptedArray.from_json(public_key, text)",
         "EncryptedArray.from_json(public_key, text)", [1.0, 2.0]),
]  # fmt: skip


def decrypted(private_key: PrivateKey, value: Any) -> Any:
    if isinstance(value, EncryptedArray):
        return private_key.decrypt(value).tolist()
    return [decrypted(private_key, part) for part in value]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_what_an_error_says_to_write_works(keypair: Keypair, tmp_path: Path, case: Case) -> None:
    public_key, private_key = keypair
    c, d = public_key.encrypt([1.0, 2.0]), public_key.encrypt([3.0, 4.0])
    c.save(tmp_path / "a.enc")
    names: dict[str, Any] = {
        "numpy": numpy,
        "vecphe": vecphe,
        "FixedPoint": FixedPoint,
        "EncryptedArray": EncryptedArray,
    }
    names |= {"public_key": public_key, "c": c, "d": d, "BIG": BIG, "m": public_key.encrypt([[1.0]])}
    names |= {"p": public_key.encrypt([1.0, 2.0], packed=True), "path": str(tmp_path / "a.enc")}
    names |= {"data": c.to_bytes(), "text": c.to_json(), **case.names}
    if case.names.get("spmatrix"):
        names["x"] = scipy.sparse.csr_matrix(case.names["x"])
    with pytest.raises((TypeError, ValueError, OverflowError), match=re.escape(case.said)) as caught:
        exec(case.failing, dict(names))
    assert "decrypt" not in str(caught.value)  # who computes with arrays has no private key
    assert len(case.written) == len(case.expected)
    for written, expected in zip(case.written, case.expected, strict=True):
        result = eval(f"[{written}]" if " for " in written and written[-1] not in "])" else written, names)
        assert decrypted(private_key, result) == expected


def test_longer_keys_take_what_shorter_ones_refuse(keypair: Keypair, secure_keypair: Keypair) -> None:
    encoding = FixedPoint(400, 2**200)
    with pytest.raises(OverflowError, match="or use a longer key"):
        keypair[0].encrypt([1.0], encoding=encoding)
    assert secure_keypair[1].decrypt(secure_keypair[0].encrypt([1.0], encoding=encoding)).tolist() == [1.0]
    with pytest.raises(OverflowError, match="use a longer key"):
        keypair[0].encrypt([1.0], encoding=FixedPoint(300, 2**200)) * 2**20
    c = secure_keypair[0].encrypt([1.0], encoding=FixedPoint(300, 2**200)) * 2**20
    assert secure_keypair[1].decrypt(c).tolist() == [2.0**20]
