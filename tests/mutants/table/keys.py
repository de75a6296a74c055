"""Keys: rows 1 to 15."""

from tests.mutants.model import Mutant

MUTANTS = [
    Mutant(
        rows=(1,),
        file="numbers.py",
        old="if length % 2 or not LEAST",
        new="if not LEAST",
        tests=("test_numbers.py::test_h01_bad_key_lengths",),
    ),
    Mutant(
        rows=(4,),
        file="numbers.py",
        old="if is_prime(n) or is_power(mpz(n)):",
        new="if is_power(mpz(n)):",
        tests=("test_numbers.py::test_h03_h04_h05_n_that_is_no_modulus",),
    ),
]
