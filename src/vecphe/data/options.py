"""How files of data are to be read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GROUPINGS", "MISSING", "ReadOptions", "TableOptions"]

MISSING = ("error", "drop", "mean")
# Marks of thousands as options name them, and what may stand for each.
GROUPINGS = {
    ",": ",",
    ".": ".",
    "'": "'\N{RIGHT SINGLE QUOTATION MARK}",
    "space": " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}",
}
_NAMED_SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}


@dataclass(frozen=True)
class ReadOptions:
    """How text is written; of Parquet and .npz, the numbers in columns of text.

    Attributes
    ----------
    separator : str, optional
        A character, or "tab". Without it the first row tells.
    decimal : str
        A point or a comma.
    encoding : str, optional
        Without it UTF-8, or what the byte order mark says.
    thousands : str, optional
        What may stand between groups of three digits: a comma, a point, an apostrophe, or "space".

    Raises
    ------
    ValueError
        If a mark is none, or those in numbers are the same.
    """

    separator: str | None = None
    decimal: str = "."
    encoding: str | None = None
    thousands: str | None = None

    def __post_init__(self) -> None:
        mark = self.separator
        if mark is not None:
            mark = _NAMED_SEPARATORS.get(mark, mark)
            if len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in '"\r\n\0.+-':
                raise ValueError("--sep must be one character, such as ';', or tab")
            object.__setattr__(self, "separator", mark)
        if self.decimal not in (".", ","):
            raise ValueError("--decimal must be '.' or ','")
        thousands = {"": None, " ": "space"}.get(self.thousands or "", self.thousands)
        if thousands not in (None, *GROUPINGS):
            raise ValueError("--thousands must be ',', '.', \"'\" or space")
        if thousands == self.decimal:
            raise ValueError(f"--decimal and --thousands cannot both be {thousands!r}")
        object.__setattr__(self, "thousands", thousands)


@dataclass(frozen=True)
class TableOptions(ReadOptions):
    """Which columns of files are used, and for what.

    Attributes
    ----------
    target : str
        Column to predict.
    group : str, optional
        Column that names each row's hospital.
    features : tuple of str
        Columns to learn from; all others if there is none. Here and below, what is no name of a column is a list of
        names with commas between them.
    drop : tuple of str
        Columns to leave out.
    categories : tuple of str
        Columns whose values are names: each value but the first becomes a feature. All parties come to know them.
    missing : str
        What to do with rows in which a cell is missing: "error" refuses them, "drop" leaves them out, and "mean" leaves
        NaN in X, for the mean to be filled in.
    labels : bool, optional
        Whether targets may be names of classes: True where one is no number, False never, None where none is a number.
    reserved : tuple of str
        Names that no hospital may have.
    has_means : bool
        Whether there are, or will be, means to fill in.
    """

    target: str = ""
    group: str | None = None
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    missing: str = "error"
    labels: bool | None = None
    reserved: tuple[str, ...] = ()
    has_means: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.missing not in MISSING:
            raise ValueError(f"--missing must be one of {', '.join(MISSING)}")
        if self.group == self.target:
            raise ValueError(f"the column {self.target!r} cannot be both target and group")
