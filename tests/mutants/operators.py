"""Small faults that a tired hand makes, over the syntax tree of a module: what `make mutants-random` draws from.

Annotations, docstrings, formatted strings, `__all__` and what only type checkers run are left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.model import StaleMutantError

__all__ = ["FUNCTION", "Change", "body_of", "changes_of"]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
_UNWRAPPED = {"abs", "sorted", "reversed", "set", "list", "tuple"}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Change:
    """One fault.

    Attributes
    ----------
    file : str
        Path below src/vecphe.
    name : str
        Qualified name of the function or class that it is in, or of the module.
    start, end : int
        Place in the bytes of the file, and...
    new : bytes
        ...what comes there.
    line : int
        Where the change starts.
    runs_in : range
        Lines that run when the statement matters: its own, or those of the body for the head of a function. Empty if
        it runs when the module is imported.
    target : str
        What a statement that runs at import gives a value to, or "".
    before, after : str
        The changed lines, as one line of text.
    """

    file: str
    name: str
    start: int
    end: int
    new: bytes
    line: int
    runs_in: range
    target: str
    before: str
    after: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it however the lines around it move."""
        return self.name, self.before, self.after

    def mutated(self, source: Path) -> str:
        """Text of the file with the fault; raise StaleMutantError if another line stands there by now."""
        data = (source / "vecphe" / self.file).read_bytes()
        if _before_and_after(data, self.start, self.end, self.new) != (self.before, self.after):
            raise StaleMutantError(f"src/vecphe/{self.file} was changed after the faults were drawn; draw again")
        return (data[: self.start] + self.new + data[self.end :]).decode()


def changes_of(source: Path, file: str) -> list[Change]:
    """All faults that can be planted in a module, in the order of their places."""
    data = (source / "vecphe" / file).read_bytes()
    found = {(change.start, change.end, change.new): change for change in _Walk(file, data).module()}
    return [found[key] for key in sorted(found)]


class _Walk:
    """A walk over the statements, which knows where it is."""

    def __init__(self, file: str, data: bytes) -> None:
        self._file, self._data = file, data
        self._starts = [0]
        for line in data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._name = ".".join(["vecphe", *Path(file).with_suffix("").parts]).removesuffix(".__init__")

    def module(self) -> Iterator[Change]:
        tree = ast.parse(self._data)
        yield from self._body(tree.body, self._name, True)

    def _body(self, body: list[ast.stmt], name: str, at_import: bool) -> Iterator[Change]:
        for statement in body:
            if not _is_left_alone(statement):
                yield from self._statement(statement, name, at_import)

    def _statement(self, node: ast.stmt, name: str, at_import: bool) -> Iterator[Change]:
        if isinstance(node, (*FUNCTION, ast.ClassDef)):
            name = f"{name}.{node.name}"
        if isinstance(node, FUNCTION):
            at_import = False
            runs_in = body_of(node)
        else:
            runs_in = range(0) if at_import else range(node.lineno, _end_of_head(node) + 1)
        for old, new in _replacements(node):
            yield self._change(old, new, name, runs_in, _target(node) if at_import else "")
        for block in _blocks(node):
            yield from self._body(block, name, at_import)

    def _change(self, old: ast.AST, new: str, name: str, runs_in: range, target: str) -> Change:
        start, end = self._place(old.lineno, old.col_offset), self._place(old.end_lineno, old.end_col_offset)
        before, after = _before_and_after(self._data, start, end, new.encode())
        return Change(self._file, name, start, end, new.encode(), old.lineno, runs_in, target, before, after)

    def _place(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column


def _before_and_after(data: bytes, start: int, end: int, new: bytes) -> tuple[str, str]:
    """The lines that change, each as one line of text."""
    first, last = data.rfind(b"\n", 0, start) + 1, (data + b"\n").find(b"\n", end)
    texts = data[first:last], data[first:start] + new + data[end:last]
    before, after = (" ".join(text.decode(errors="replace").split()) for text in texts)
    return before, after


def body_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    """Lines that run when a function is called."""
    return range(node.body[0].lineno, (node.end_lineno or 0) + 1)


def _is_left_alone(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'")
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) in ("__all__", "__slots__")
    if isinstance(node, FUNCTION):
        return any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)
    return isinstance(node, (ast.Import, ast.ImportFrom)) or _is_docstring(node)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        yield getattr(node, field, [])
    for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
        yield part.body


def _end_of_head(node: ast.stmt) -> int:
    body = getattr(node, "body", None)
    return max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno


def _target(node: ast.stmt) -> str:
    if isinstance(node, ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, (ast.AnnAssign, ast.AugAssign)) and isinstance(node.target, ast.Name):
        return node.target.id
    return ""


def _replacements(node: ast.stmt) -> Iterator[tuple[ast.AST, str]]:
    """Parts of a statement, without the statements in it, and what may replace each."""
    yield from _of_statement(node)
    for part in _expressions(node):
        for new in _of_expression(part):
            yield part, new


def _of_statement(node: ast.stmt) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await))):
        yield node, "pass"
    elif isinstance(node, ast.Break):
        yield node, "continue"
    elif isinstance(node, ast.Continue):
        yield node, "break"
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield node, "return None"
    elif isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        swapped = ast.AugAssign(node.target, _ARITHMETIC[type(node.op)](), node.value)
        yield node, ast.unparse(swapped)
    elif isinstance(node, ast.If):
        yield from ((node.test, text) for text in ("True", "False", f"not ({ast.unparse(node.test)})"))
    elif isinstance(node, ast.While):
        yield node.test, "False"
    elif isinstance(node, ast.Try):
        for handler in node.handlers:
            if isinstance(handler.type, ast.Tuple):
                yield from ((handler.type, text) for text in _without_one(handler.type))


def _without_one(node: ast.Tuple) -> Iterator[str]:
    for left_out in range(len(node.elts)):
        kept = [ast.unparse(element) for i, element in enumerate(node.elts) if i != left_out]
        yield f"({', '.join(kept)},)"


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions below, in their order, none of a statement inside."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "body", "orelse", "finalbody", "handlers", "cases") and not isinstance(
            node, ast.expr
        ):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.JoinedStr):
                continue
            if isinstance(part, ast.expr):
                yield part
            if isinstance(part, ast.AST):
                yield from _expressions(part)


def _of_expression(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        yield from _of_comparison(node)
    elif isinstance(node, ast.BoolOp):
        yield from _of_and_or(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        yield f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.BinOp):
        yield from _of_arithmetic(node)
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node.value)
    elif isinstance(node, ast.IfExp):
        yield from (f"({ast.unparse(ast.IfExp(ast.Constant(test), node.body, node.orelse))})" for test in (True, False))
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
        yield from _of_comprehension(node)


def _of_comparison(node: ast.Compare) -> Iterator[str]:
    for i, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            operators = [*node.ops[:i], other(), *node.ops[i + 1 :]]
            yield f"({ast.unparse(ast.Compare(node.left, operators, node.comparators))})"


def _of_and_or(node: ast.BoolOp) -> Iterator[str]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield f"({ast.unparse(ast.BoolOp(other, node.values))})"
    for i in range(len(node.values)):
        kept = [*node.values[:i], *node.values[i + 1 :]]
        yield f"({ast.unparse(kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept))})"


def _of_arithmetic(node: ast.BinOp) -> Iterator[str]:
    is_text = any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in (node.left, node.right)
    )
    if type(node.op) in _ARITHMETIC and not is_text:
        yield f"({ast.unparse(ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right))})"


def _of_constant(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, (int, float)):
        yield from (repr(value + 1), f"({value - 1!r})" if value < 1 else repr(value - 1))


def _of_call(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _FUNCTIONS:
        called = ast.unparse(node.func).removesuffix(name) + _FUNCTIONS[name]
        yield ast.unparse(ast.Call(ast.Name(called), node.args, node.keywords))
    if name in _UNWRAPPED and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        yield f"({ast.unparse(node.args[0])})"
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield ast.unparse(ast.Call(node.func, node.args, [k for k in node.keywords if k is not keyword]))


def _of_comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Iterator[str]:
    for generator in node.generators:
        for condition in generator.ifs:
            kept = generator.ifs
            generator.ifs = [other for other in kept if other is not condition]
            text = ast.unparse(node)
            generator.ifs = kept
            yield text
