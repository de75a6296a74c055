"""Keys in phe's form: rows 12, 13 and 37."""

from tests.mutants.model import Mutant

JWK = "serialization/jwk.py"
PUBLIC = "serialization/test_jwk.py::test_h12_malformed_public_keys"
PRIVATE = "serialization/test_jwk.py::test_h12_malformed_private_keys"

NO_JSON = "serialization/test_jwk.py::test_h12_h37_what_is_no_json_object"
TOO_LONG = "serialization/test_jwk.py::test_h12_keys_that_are_too_long"

MUTANTS = [
    Mutant((12,), JWK, 'if fields.get("kty") != KEY_TYPE:', "if False:", (PUBLIC, PRIVATE)),
    Mutant(
        (12,),
        JWK,
        "    if algorithm != ALGORITHM:\n",
        "    assert algorithm == ALGORITHM\n    if False:\n",
        (PUBLIC, "serialization/test_jwk.py::test_h12_holds_without_asserts"),
    ),
    Mutant((12,), JWK, 'for name in ("key_ops", "p", "q", "pub"):', 'for name in ("key_ops", "p", "pub"):', (PRIVATE,)),
    Mutant((13,), JWK, 'if not {"p", "q", "pub"}.isdisjoint(fields):', "if False:", (PUBLIC,)),
    Mutant(
        (13,),
        JWK,
        'if fields.keys() >= {"n"} and {"p", "q", "pub"}.isdisjoint(fields):',
        "if False:",
        ("serialization/test_jwk.py::test_h13_a_public_key_is_no_private_one",),
    ),
    Mutant((12,), JWK, "    if len(text) > GREATEST_TEXT:\n", "    if False:\n", (TOO_LONG,)),
    Mutant((12,), JWK, "    if len(text) > _GREATEST_NUMBER:\n", "    if False:\n", (PUBLIC,)),
    Mutant((12,), JWK, 'if "decrypt" not in fields["key_ops"]:', "if False:", (PRIVATE,)),
    Mutant((12, 37), JWK, "    if not isinstance(key, dict):\n", "    if key is None:\n", (NO_JSON,)),
]
