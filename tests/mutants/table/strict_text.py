"""JSON and base64url from anyone, as keys, arrays and phe's files use them: rows 12, 14, 37 and 63."""

from tests.mutants.model import Mutant

TEXT = "serialization/strict_text.py"
HOSTILE = "serialization/test_serialization_hostile.py::"
JWK_PUBLIC = "serialization/test_jwk.py::test_h12_malformed_public_keys"
NO_JWK = "serialization/test_jwk.py::test_h12_h37_what_is_no_json_object"
NO_NUMBERS = "phe/test_command_line.py::test_h37_h63_bad_ciphertext_files"
SPELLING = f"{HOSTILE}test_h37_a_value_has_one_spelling_in_json"

MUTANTS = [
    Mutant((37,), TEXT, "except (ValueError, RecursionError):", "except RecursionError:", (NO_JWK,)),
    Mutant(
        (37, 63),
        TEXT,
        "except (ValueError, RecursionError):",
        "except ValueError:",
        (NO_JWK, NO_NUMBERS),
    ),
    Mutant(
        (14,),
        TEXT,
        "        pass\n    raise SerializationError(malformed)",
        "        raise SerializationError(malformed)\n    raise SerializationError(malformed)",
        (f"{HOSTILE}test_h14_no_message_holds_a_secret",),
    ),
    Mutant(
        (12, 37),
        TEXT,
        "        if len(content) != len(pairs):\n",
        "        if False:\n",
        (SPELLING, "serialization/test_jwk.py::test_h12_a_doubled_field", NO_NUMBERS),
    ),
    Mutant((12,), TEXT, "if not _BASE64URL.fullmatch(text) or", "if not _BASE64URL.match(text) or", (JWK_PUBLIC,)),
    Mutant((12,), TEXT, " or len(text) % 4 == 1:", ":", (JWK_PUBLIC,)),
    Mutant((12, 37), TEXT, "    if bytes_to_base64url(data) != text:\n", "    if False:\n", (SPELLING, JWK_PUBLIC)),
]
