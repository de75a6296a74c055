"""What stands beside an array, what is too large for memory, and what is assigned: rows 39, 61, 72 and 74."""

from tests.mutants.model import Mutant

ARRAY, FUNCTIONS, ENCODING = "array/encrypted_array.py", "array/functions.py", "plaintext/encoding.py"
PACKING, KEY, MEMORY, DATA = "plaintext/packing.py", "keys/public_key.py", "system/memory.py", "array/data.py"
OPERANDS = "array/test_array_operands.py::"
ON_THE_LEFT = OPERANDS + "test_h72_operators_on_plain_left_operands_show_no_values"
UFUNCS = OPERANDS + "test_h72_ufuncs_and_their_methods_show_no_values"
OURS = OPERANDS + "test_h72_the_error_is_ours_and_says_what_to_write"
EXACT = OPERANDS + "test_h74_integers_that_numpy_would_round_are_exact"
REFUSED = OPERANDS + "test_h74_integers_that_no_float_holds_are_refused_among_fractions"
ARE_FLOATS = OPERANDS + "test_h74_integers_that_are_floats_go_with_fractions"
FRAMES = OPERANDS + "test_h74_data_frames_of_several_integer_types"
DIVISORS = OPERANDS + "test_h74_divisors_are_not_rounded_before_their_reciprocal"
BEYOND = OPERANDS + "test_h74_a_divisor_beyond_the_floats_is_no_zero"
ASSIGNED = "array/test_array_assignment.py::test_h39_an_assigned_array_is_not_fresh"
SPENT = "array/test_array_assignment.py::test_h39_what_leaves_with_the_array_spends_what_was_assigned"
REPEATED = "array/test_array_functions.py::test_h39_what_repeats_elements_is_not_fresh"
LITTLE = "system/test_memory.py::test_h61_encoding_takes_little_beyond_its_result"
BLOCKS = "system/test_memory.py::test_h61_blocks_do_not_show"
LIMIT = "system/test_memory.py::test_h61_a_batch_beyond_a_limit_is_refused_before_it_is_encrypted"
SYSTEM = "system/test_memory.py::test_h61_what_the_system_has_decides"
ON_THE_WAY = "system/test_memory.py::test_h61_memory_that_runs_out_on_the_way"
ROOM = "system/test_memory.py::test_h61_arrays_that_would_not_fit_are_refused"
UNUSED = "plaintext/test_encoding.py::test_h16_what_is_not_used_is_not_examined"
LISTS = "plaintext/test_encoding.py::test_h18_h74_other_lists_are_lists"
FITS = "system/test_memory.py::test_h61_what_fits_is_not_refused"

MUTANTS = [
    Mutant((39,), ARRAY, "        self._exported = False\n", "", (ASSIGNED,)),
    Mutant(
        (39,),
        ARRAY,
        "changed._residues, changed._format, changed._freshness\n",
        "changed._residues, changed._format, self._freshness\n",
        (ASSIGNED, SPENT),
    ),
    Mutant(
        (39,),
        ARRAY,
        "self._freshness if np.count_nonzero(taken) == len(flat) else self._freshness.spoiled()",
        "self._freshness",
        (REPEATED,),
    ),
    Mutant(
        (61,),
        ENCODING,
        "        for start in range(0, len(flat), _CHUNK):\n"
        "            words[start : start + _CHUNK] = self._words(flat[start : start + _CHUNK], negative)\n",
        "        words[:] = self._words(flat, negative)\n",
        (LITTLE,),
    ),
    Mutant(
        (61,),
        ENCODING,
        "self._words(flat[start : start + _CHUNK], negative)",
        "self._words(flat[start : start + _CHUNK], False)",
        (BLOCKS,),
    ),
    Mutant(
        (61,),
        "plaintext/format.py",
        "        integers[:, -1] ^=",
        "        integers = integers.copy()\n        integers[:, -1] ^=",
        (LITTLE,),
    ),
    Mutant(
        (61,),
        PACKING,
        "        if rows <= step:\n            return self._pack",
        "        if True:\n            return self._pack",
        (LITTLE,),
    ),
    Mutant(
        (61,),
        PACKING,
        "for row in range(0, max(len(words), 1), step)",
        "for row in range(0, max(len(words), 1), step * 64)",
        (BLOCKS,),
    ),
    Mutant((61,), KEY, "            self._check_memory(values.size, format, packed)\n", "", (LIMIT, SYSTEM)),
    Mutant((61,), KEY, "needed = ciphertexts * 5 // 2 + words", "needed = words", (LIMIT,)),
    Mutant((61,), KEY, "        except MemoryError:\n", "        except BufferError:\n", (ON_THE_WAY,)),
    Mutant((61,), MEMORY, "    except (MemoryError, ValueError):", "    except ValueError:", (FITS,)),
    Mutant((61,), MEMORY, "    except (MemoryError, ValueError):", "    except MemoryError:", (FITS,)),
    Mutant((61,), MEMORY, "        np.empty(needed, dtype=np.uint8)\n", "        pass\n", (FITS,)),
    Mutant((61,), MEMORY, "min(_available(), _container_limit())", "_available()", (SYSTEM,)),
    Mutant((61,), MEMORY, "min(_available(), _container_limit())", "_container_limit()", (SYSTEM, FITS)),
    Mutant((61,), MEMORY, ".split()[0]) * 1024", ".split()[0]) * 1000", (FITS,)),
    Mutant(
        (72,),
        FUNCTIONS,
        '    if "out" in kwargs:\n',
        '    if "out" in kwargs:\n        return NotImplemented\n    if False:\n',
        (ON_THE_LEFT, UFUNCS, OURS),
    ),
    Mutant(
        (72,),
        FUNCTIONS,
        "    if ufunc in _COMPARISONS:\n        raise TypeError(NO_COMPARISON)\n",
        "    if ufunc in _COMPARISONS:\n        return NotImplemented\n",
        (ON_THE_LEFT, UFUNCS),
    ),
    Mutant(
        (72,),
        FUNCTIONS,
        '    if method != "__call__" or ufunc not in _OPERATORS:\n',
        '    if method != "__call__" or ufunc not in _OPERATORS:\n        return NotImplemented\n    if False:\n',
        (ON_THE_LEFT, UFUNCS),
    ),
    Mutant(
        (72,),
        FUNCTIONS,
        "    if kwargs:\n        raise",
        "    if kwargs:\n        return NotImplemented\n        raise",
        (UFUNCS,),
    ),
    Mutant(
        (72,),
        FUNCTIONS,
        "    if result is NotImplemented:\n",
        "    if False:\n",
        (OURS,),
    ),
    Mutant(
        (74,), ENCODING, "array.dtype == np.float64 and not hasattr", "False and not hasattr", (EXACT, REFUSED, FRAMES)
    ),
    Mutant((74,), ENCODING, '    if array.dtype.kind == "O":\n', "    if False:\n", (EXACT, REFUSED)),
    Mutant((74,), ENCODING, "_FLOAT_SAFE = 2.0**53 ", "_FLOAT_SAFE = 2.0**63 ", (REFUSED,)),
    Mutant((74,), ENCODING, "np.abs(array) >= _FLOAT_SAFE", "np.abs(array) > _FLOAT_SAFE", (REFUSED,)),
    Mutant((74,), ENCODING, "np.abs(array) >= _FLOAT_SAFE", "array >= _FLOAT_SAFE", (REFUSED,)),
    Mutant((74,), ENCODING, "    return floats if exact else None\n", "    return floats\n", (REFUSED, FRAMES)),
    Mutant(
        (74,),
        ENCODING,
        "not isinstance(number, _INTEGERS) or int(number) == value",
        "not isinstance(number, _INTEGERS)",
        (ARE_FLOATS,),
    ),
    Mutant(
        (74,),
        ENCODING,
        "    except OverflowError:\n        return None\n",
        "    except BufferError:\n        return None\n",
        (REFUSED,),
    ),
    Mutant(
        (74,),
        ENCODING,
        "isinstance(value, _LISTS) or _rows_of(value) else",
        "isinstance(value, _LISTS) else",
        (FRAMES,),
    ),
    Mutant((74,), ENCODING, '    return getattr(value, "iter_rows", None)', "    return None", (FRAMES,)),
    Mutant((74,), ENCODING, '    if hasattr(value, "itertuples"):', "    if False:", (FRAMES,)),
    Mutant((74,), ENCODING, "np.iinfo(t).min <= least and", "np.iinfo(t).min <= least or", (EXACT,)),
    Mutant((18, 74), ENCODING, "_LISTS = (list, tuple, deque, UserList)", "_LISTS = (list, tuple)", (LISTS,)),
    Mutant((16,), ENCODING, "np.where(unused, 0.0, array)", "array", (UNUSED,)),
    *(
        Mutant((61,), ARRAY, f"        array_functions.check_room({of})\n", "", (ROOM,))
        for of in (
            "self._ring, indices.size",
            "first._ring, starts[-1] + order.size",
            "self._ring, len(rows) * math.prod(self._shape[1:])",
        )
    ),
    Mutant((61,), KEY, "        check_room(ring, len(values))\n", "", (ROOM,)),
    Mutant((74,), FUNCTIONS, "[1 / divisor for divisor in", "[1 / float(divisor) for divisor in", (DIVISORS,)),
    Mutant((74,), FUNCTIONS, "    if not inverses.all():\n", "    if False:\n", (BEYOND,)),
]
