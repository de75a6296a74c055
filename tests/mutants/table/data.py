"""Files of data: rows 36, 61, 63, 65, 66, 72, 74 and 77."""

from tests.mutants.model import Mutant

TEXT, RECORDS, CELLS = "data/text.py", "data/csv_records.py", "data/cells.py"
SHEETS, TABLES, NUMBERS = "data/sheets.py", "data/tables.py", "data/csv_numbers.py"
AT_EDGES = "data/test_csv_records.py::"
NO_NUMBERS = f"{AT_EDGES}test_h63_cells_that_are_no_numbers"
OF_TABLES = "data/test_tables.py::"
MARKS, HINTS = "data/marks.py", "cli/test_hints.py::test_what_a_message_says_to_type_ends_its_problem"
SAME_LABELS = f"{OF_TABLES}test_levels_groups_and_classes_are_the_same_in_every_form"
REFUSED = "federated/test_data.py::test_h63_h66_what_is_no_table_is_refused"
NO_CELL = "federated/test_data.py::test_h72_no_message_shows_a_cell"
NO_TABLE = "cli/test_table.py::test_h63_h66_what_is_no_table_of_numbers"
EXACT = "cli/test_table.py::test_h74_integers_that_no_type_of_numpy_holds_are_exact"
ROUNDED = "cli/test_table.py::test_integers_that_float64_would_round_are_refused"
COSTS = "test_reader_costs.py::test_h77_tables"
STORED = "serialization/test_columns.py::test_h36_stored_names_are_checked"
NONE_OF_IT = "serialization/test_columns.py::test_h36_names_that_are_none_of_the_array"

MUTANTS = [
    Mutant(
        (63,),
        TEXT,
        '(codecs.BOM_UTF8, "utf-8-sig"),',
        '(codecs.BOM_UTF8, "utf-8"),',
        (f"{AT_EDGES}test_h63_encodings_that_tell_themselves",),
    ),
    Mutant(
        (63,),
        TEXT,
        '    if "\\0" in text:\n',
        "    if False:\n",
        (f"{AT_EDGES}test_h63_a_file_with_a_zero_byte_is_no_text",),
    ),
    Mutant(
        (63,),
        TEXT,
        "    if not _KNOWN.fullmatch(name):\n",
        "    if not name:\n",
        (f"{AT_EDGES}test_h63_encodings_that_are_wrong",),
    ),
    Mutant(
        (63,),
        RECORDS,
        "delimiter=separator, strict=True)",
        "delimiter=separator, strict=False)",
        (f"{AT_EDGES}test_h63_what_is_no_csv",),
    ),
    Mutant(
        (63,),
        RECORDS,
        "        ragged.append((row.number, row.actual_columns))\n",
        "        pass\n",
        (REFUSED, NO_TABLE),
    ),
    Mutant(
        (63,),
        RECORDS,
        "            ragged.append((line, len(row)))\n",
        "            pass\n",
        (f"{AT_EDGES}test_wide_rows_are_read_as_narrow_ones",),
    ),
    Mutant((63,), SHEETS, "    if not any(header):\n", "    if False:\n", (REFUSED,)),
    Mutant((63,), SHEETS, "    if rows.ragged:\n", "    if False:\n", (REFUSED,)),
    Mutant(
        (63,),
        SHEETS,
        "    except (pa.ArrowException, OSError):",
        "    except ZeroDivisionError:",
        (f"{OF_TABLES}test_h63_damaged_parquet",),
    ),
    Mutant(
        (61,),
        SHEETS,
        "check_memory(16 * file.metadata.num_rows",
        "check_memory(0 * file.metadata.num_rows",
        (f"{OF_TABLES}test_h61_parquet_that_claims_more_rows_than_memory",),
    ),
    Mutant(
        (63,),
        TABLES,
        "    labels = part.labels[column.name] = _renumbered(",
        "    labels = _renumbered(",
        (f"{OF_TABLES}test_rows_to_predict_for",),
    ),
    Mutant(
        (63,),
        TABLES,
        "    if len(unknown):\n",
        "    if False:\n",
        (f"{OF_TABLES}test_h63_rows_that_the_model_cannot_take",),
    ),
    Mutant(
        (66,),
        CELLS,
        "    faults[wrong & np.array(short)] = Fault.OUT_OF_RANGE\n",
        "    faults[wrong] = Fault.OUT_OF_RANGE\n",
        (NO_NUMBERS,),
    ),
    Mutant(
        (66,),
        CELLS,
        "zero &= pc.binary_length(cells).to_numpy() >= _SHORTEST_TINY",
        "zero &= pc.binary_length(cells).to_numpy() > _SHORTEST_TINY",
        (NO_NUMBERS,),
    ),
    Mutant(
        (66,),
        MARKS,
        "[1-9][0-9]{{0,2}}({between}[0-9]{{3}})+",
        "[0-9]{{1,3}}({between}[0-9]{{3}})+",
        (
            f"{AT_EDGES}test_marks_of_thousands_stand_between_groups_of_three",
            f"{AT_EDGES}test_the_marks_that_read_all_numbers",
        ),
    ),
    Mutant(
        (66,),
        "data/faults.py",
        "    return told_readings(readings(reads), parts[0].sheet.marks)",
        '    return "--decimal ,"',
        (HINTS,),
    ),
    Mutant(
        (66,),
        "data/faults.py",
        "wanted = (now == Fault.NONE) | (now == Fault.MARKS)",
        "wanted = now == Fault.MARKS",
        (HINTS,),
    ),
    Mutant(
        (66,),
        RECORDS,
        "        in_numbers = []\n",
        "        pass\n",
        (f"{AT_EDGES}test_what_marks_numbers_separates_only_what_is_none",),
    ),
    Mutant(
        (63,),
        "data/problems.py",
        'f"--drop {shlex.quote(name)}" for name in names',
        'f"--drop {name!r}" for name in names',
        (HINTS,),
    ),
    Mutant((63,), "cli/failure.py", '_BREAKS.sub(" ", str(text)).strip()', '" ".join(str(text).split())', (HINTS,)),
    Mutant(
        (63,),
        CELLS,
        "        return _shortest(plain)\n",
        "        return plain\n",
        (f"{AT_EDGES}test_labels_have_one_spelling", SAME_LABELS),
    ),
    Mutant(
        (63,),
        CELLS,
        "return word if word in (TRUE, FALSE) else",
        "return",
        (f"{AT_EDGES}test_labels_have_one_spelling",),
    ),
    Mutant(
        (63,),
        "data/parts.py",
        "self.labels[name].codes == -1",
        "self.labels[name].codes < 0",
        (f"{OF_TABLES}test_a_value_that_the_model_does_not_know_is_not_missing_too",),
    ),
    Mutant(
        (63,),
        "data/parts.py",
        "        if name != options.target or options.labels is False:\n",
        "        if False:\n",
        (f"{OF_TABLES}test_columns_of_truth_values_are_ones_and_zeros_in_every_form",),
    ),
    Mutant(
        (63,),
        RECORDS,
        '_INDEX = re.compile(r"(Unnamed: 0(\\.[0-9]+)*)?")',
        '_INDEX = re.compile(r"(Unnamed: 0)?")',
        (f"{OF_TABLES}test_the_index_columns_of_pandas_are_no_features",),
    ),
    Mutant(
        (75,),
        TABLES,
        "        if first is not sheet:\n",
        "        if False:\n",
        (f"{OF_TABLES}test_a_file_is_one_hospital_once",),
    ),
    Mutant(
        (63,),
        TABLES,
        "            if other != column.name:\n",
        "            if False:\n",
        (f"{OF_TABLES}test_features_that_would_have_one_name",),
    ),
    Mutant(
        (72,),
        "data/faults.py",
        "    if (faults != Fault.MISSING).sum() < _LEAST_ROWS * count:\n",
        "    if False:\n",
        (f"{OF_TABLES}test_categories_that_tell_of_single_rows_are_not_recommended",),
    ),
    Mutant(
        (63,),
        SHEETS,
        'return numbers_of(pc.fill_null(column, ""), marks)',
        'return numbers_of(pc.fill_null(column, ""))',
        (f"{OF_TABLES}test_text_in_every_form_has_the_marks_that_are_said",),
    ),
    Mutant(
        (66,),
        CELLS,
        "return values if np.isfinite(values).all() and not _are_tiny(cells, values).any() else None",
        "return values",
        (NO_NUMBERS, REFUSED, NO_TABLE),
    ),
    Mutant(
        (66,),
        MARKS,
        'pc.replace_substring(pc.replace_substring(cells, ".", "?"), ",", ".")',
        'pc.replace_substring(cells, ",", ".")',
        (f"{AT_EDGES}test_a_decimal_comma_is_the_only_mark_where_it_is_one",),
    ),
    Mutant((66,), NUMBERS, '(cell[0].isalpha() or cell[0] == "_")', "True", (NO_TABLE,)),
    Mutant(
        (65,),
        "data/options.py",
        "        if thousands == self.decimal:\n",
        "        if False:\n",
        (f"{OF_TABLES}test_h65_options_that_make_no_sense",),
    ),
    Mutant(
        (72,),
        SHEETS,
        'told = why[len(numbers) > 1].format(places("column", numbers))',
        "told = why[len(numbers) > 1].format(header[numbers[0] - 1])",
        (NO_CELL,),
    ),
    Mutant((74,), NUMBERS, "    if is_integer.all():\n", "    if False:\n", (EXACT, ROUNDED)),
    Mutant((74,), NUMBERS, "np.abs(values) >= _GREATEST_EXACT", "np.abs(values) > _GREATEST_EXACT", (ROUNDED,)),
    Mutant((77,), RECORDS, "    if not 0 < width <= _WIDE:", "    if not 0 < width:", (COSTS,)),
    Mutant(
        (77,),
        TABLES,
        "    common = set.intersection(*(set(sheet.names) for sheet in sheets))\n",
        "    common = sheets[0].names\n",
        (COSTS,),
    ),
    Mutant(
        (77,),
        TABLES,
        "if len(label) > LONGEST_LABEL",
        "if len(label) > LONGEST_LABEL + 1",
        (
            "federated/test_data.py::test_h77_the_longest_name_of_a_group",
            f"{OF_TABLES}test_h77_labels_that_cannot_be_shown",
        ),
    ),
    Mutant(
        (36,),
        "serialization/fields.py",
        "    if fields.columns:\n        check_columns(",
        "    if False:\n        check_columns(",
        (STORED,),
    ),
    Mutant(
        (36,),
        "serialization/fields.py",
        "    if not all(name and name.isprintable() for name in columns):\n",
        "    if not all(columns):\n",
        (STORED, NONE_OF_IT),
    ),
    Mutant(
        (36,),
        "serialization/fields.py",
        "len(columns) == len(set(columns)) == math.prod(shape[1:])",
        "len(columns) == math.prod(shape[1:])",
        (STORED, NONE_OF_IT),
    ),
]
