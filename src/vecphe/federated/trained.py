"""Models that leave: what was learned, in the units of the data, as a file of docs/format.md and as scikit-learn's.

Scores are computed from centred columns, where no digits are lost however far from zero a column is; the intercept, the
score of a row of zeros, is what other programs take.
"""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.data.schema import Schema
from vecphe.errors import InvalidPlaintextError, SerializationError
from vecphe.federated.models import class_probabilities
from vecphe.federated.scaling import LinearForm, Scaling
from vecphe.plaintext.encoding import Floats
from vecphe.serialization.strict_text import check_parts, parse_json, without_duplicates
from vecphe.system import files
from vecphe.system.plurals import counted

__all__ = ["TrainedModel", "checked_classes"]

FORMAT, VERSION = "vecphe model", 1

_TASKS = ("regression", "classification")
_FIELDS = ("format", "version", "task", "target", "scale", "rows", "columns", "features", "at_mean", "intercept")
_FEATURE = ("name", "mean", "deviation", "coefficients")
_LONGEST_NUMBER = 40  # characters
_LONGEST_FILE = 1 << 27  # bytes
_MOST_PARTS = 1 << 21  # lists, objects and named values
_MOST_ROWS = 1 << 63
_MOST_LOST = 6  # digits, that plain coefficients lose without a warning
_ROUNDING = 1e-9  # of the sum of magnitudes, between an intercept and what it is computed of


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A linear model of named columns, in the units of the data.

    Attributes
    ----------
    schema : Schema
        The columns, and the features that they become.
    target : str
        Name of what is predicted.
    classes : tuple or None
        Labels of the classes, sorted: texts, integers, floats or booleans. None for a regression.
    linear : LinearForm
        Means, coefficients and the score of a row of means.
    deviation : ndarray
        What columns were scaled by, shape (features,): ones where they were not.
    rows : int or None
        How many rows the scaling was fitted on; None where columns were not scaled.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from vecphe.federated import FederatedLinearRegression, TrainedModel
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regression = FederatedLinearRegression(n_clients=3, key_length=2048, n_iter=2).fit(X, y)
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.json"
    >>> regression.save(path)
    >>> len(TrainedModel.load(path).features)
    10
    """

    schema: Schema
    target: str
    classes: tuple[Any, ...] | None
    linear: LinearForm
    deviation: Floats
    rows: int | None = None

    @classmethod
    def of(
        cls, schema: Schema, target: str, classes: npt.NDArray[Any] | None, scaling: Scaling, linear: LinearForm
    ) -> TrainedModel:
        """What a run gave, for columns of these names.

        Raises
        ------
        TypeError, ValueError
            If the classes have no form in a file.
        """
        if len(schema.features) != len(linear.mean):
            raise ValueError(f"{counted(len(schema.features), 'name')} for {counted(len(linear.mean), 'feature')}")
        own = None if classes is None else checked_classes(classes.tolist())
        _check_names(schema, target, own)
        return cls(schema, target, own, linear, scaling.deviation, scaling.rows)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return self.schema.features

    @property
    def intercept(self) -> Floats:
        """Score of a row of zeros: shape (), or (classes,) for more than two classes."""
        return self.linear.intercept

    @property
    def has_means(self) -> bool:
        """Whether a missing value can be filled in: with the mean that the column was scaled by."""
        return self.rows is not None

    def scores(self, X: Floats) -> Floats:
        """Predictions of a regression, or scores as `decision_function` has them; X has shape (rows, features).

        A missing value, NaN, counts as the mean of the rows that the model was trained on.

        Raises
        ------
        InvalidPlaintextError
            If there is one, and the model was trained with ``scale="none"`` and has no means.
        """
        if not self.has_means and np.isnan(X).any():
            raise InvalidPlaintextError(
                "X holds NaN, and a model that was trained with scale='none' has no means to fill in; leave such rows "
                "out, or train it with scale='federated'"
            )
        return self.linear.scores(X)

    def predict_proba(self, X: Floats) -> Floats:
        """Probabilities of the classes, shape (rows, classes)."""
        return class_probabilities(self.scores(X))

    def predict(self, X: Floats) -> npt.NDArray[Any]:
        """Predicted targets, or the labels of the most probable classes, shape (rows,)."""
        scores = self.scores(X)
        if self.classes is None:
            return scores
        chosen = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        labels: npt.NDArray[Any] = np.array(self.classes)[np.asarray(chosen, dtype=np.intp)]
        return labels

    def to_sklearn(self) -> Any:
        """A plain `LinearRegression` or `LogisticRegression` of scikit-learn with these coefficients.

        It takes the features, categories one-hot encoded as in `features`, in the units of the data.

        Scikit-learn adds up an intercept and products of whole columns, where `predict` takes columns from which their
        means were subtracted. So it loses the digits by which a column is farther from zero than its values are from
        each other: of columns around 1e12 that vary by 1, twelve of sixteen. More than six are told with a UserWarning;
        `predict` and ``vecphe predict`` keep them.
        """
        from sklearn.linear_model import LinearRegression, LogisticRegression  # here: it takes a second to import

        if (lost := self._lost_digits()) > _MOST_LOST:
            warnings.warn(
                f"predictions of scikit-learn lose about {lost:.0f} of 16 digits, for a column is far from zero for "
                "how little it varies; subtract its mean before training, or predict with vecphe",
                stacklevel=2,
            )
        coefficients = self.linear.coefficients
        model = LinearRegression() if self.classes is None else LogisticRegression()
        model.n_features_in_ = len(coefficients)
        if self.classes is None:
            model.coef_, model.intercept_ = coefficients.copy(), float(self.intercept)
        else:
            model.coef_, model.intercept_ = np.atleast_2d(coefficients.T).copy(), np.atleast_1d(self.intercept)
            model.classes_ = np.array(self.classes)
        return model

    def _lost_digits(self) -> float:
        """Decimal digits of a score that cancel where it is the sum of an intercept and products of whole columns."""
        form = self.linear
        shape = (len(form.mean), -1)
        terms = np.abs(form.coefficients.reshape(shape))
        sizes = np.abs(form.mean) @ terms + np.abs(np.atleast_1d(form.at_mean))
        kept = np.maximum(self.deviation @ terms, np.abs(np.atleast_1d(form.at_mean)))
        return float(np.log10(np.max(sizes / np.where(kept, kept, np.inf), initial=1.0)))

    # Files ------------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """The JSON of docs/format.md."""
        coefficients = self.linear.coefficients.reshape(len(self.features), -1).tolist()
        columns = zip(self.features, self.linear.mean.tolist(), self.deviation.tolist(), coefficients, strict=True)
        content = {
            "format": FORMAT,
            "version": VERSION,
            "task": _TASKS[self.classes is not None],
            "target": self.target,
            **({} if self.classes is None else {"classes": self.classes}),
            "scale": "none" if self.rows is None else "federated",
            "rows": self.rows,
            "columns": self.schema.as_json(),
            "features": [dict(zip(_FEATURE, column, strict=True)) for column in columns],
            "at_mean": np.atleast_1d(self.linear.at_mean).tolist(),
            "intercept": np.atleast_1d(self.intercept).tolist(),
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> TrainedModel:
        """A model of `to_json`, everything checked.

        Raises
        ------
        SerializationError
            For anything else; the message names the field, and shows no value.
        """
        content = _parsed(text)
        task = _checked(content, "task", lambda value: isinstance(value, str) and value in _TASKS, " or ".join(_TASKS))
        fields = (*_FIELDS, "classes") if task == "classification" else _FIELDS
        _check_fields(content, "the model", fields)
        target = _checked(content, "target", lambda value: isinstance(value, str) and value, "a text")
        rows = content["rows"]
        if rows is not None and (type(rows) is not int or not 0 < rows < _MOST_ROWS):
            raise SerializationError("rows must be a positive integer, or null")
        if content["scale"] != ("none" if rows is None else "federated"):
            raise SerializationError('scale must be "federated" where rows is a number, and "none" where it is null')
        try:
            schema = Schema.from_json(content["columns"])
            classes = checked_classes(content["classes"]) if task == "classification" else None
            _check_names(schema, target, classes)
        except (TypeError, ValueError) as error:
            raise SerializationError(str(error)) from None
        linear, deviation = _linear(content, schema, 1 if classes is None or len(classes) == 2 else len(classes))
        return cls(schema, target, classes, linear, deviation, rows)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the model to a file; one that exists is replaced only with ``force=True``."""
        files.replace_file(path, self.to_json().encode("utf-8"), force=force)

    @classmethod
    def load(cls, path: str | Path) -> TrainedModel:
        """Read a file of `save`.

        Raises
        ------
        SerializationError
            If the file is no model.
        OSError
            If it cannot be read, or is longer than any model.
        """
        data = files.read_file(path, _LONGEST_FILE)
        try:
            return cls.from_json(data)
        except SerializationError as error:
            raise SerializationError(f"{path}: {error}") from None


def checked_classes(labels: Any) -> tuple[Any, ...]:
    """The labels of classes, if they have a form in a file.

    Raises
    ------
    TypeError, ValueError
        If they are not two or more different texts, booleans or finite numbers, sorted.
    """
    if not isinstance(labels, list) or len(labels) < 2:
        raise ValueError("classes must be a list of two labels or more")
    kinds = {type(label) for label in labels}
    if kinds not in ({str}, {bool}, {int}, {float}):
        raise TypeError("the labels of classes must all be texts, or all integers, floats or booleans")
    if kinds == {float} and not all(map(math.isfinite, labels)):
        raise ValueError("a label of a class is not finite")
    if kinds == {int} and not -(1 << 63) <= min(labels) <= max(labels) < 1 << 63:
        raise ValueError("a label of a class has more than 64 bits")
    if any(first >= second for first, second in pairwise(labels)):
        raise ValueError("the labels of classes must be sorted, and each stand once")
    return tuple(labels)


def _check_names(schema: Schema, target: str, classes: tuple[Any, ...] | None) -> None:
    """Raise ValueError for names that would not be shown as they are, in a file, a header or a message."""
    names = [target, *(text for column in schema.columns for text in (column.name, *column.levels))]
    names += [label for label in classes or () if isinstance(label, str)]
    if not all(name and name.isprintable() for name in names):
        raise ValueError(
            "the names of target, columns, their levels and classes must be printable texts, and none of them empty"
        )


# Strict JSON ------------------------------------------------------------------------------------------------------


def _parsed(text: str | bytes) -> dict[str, Any]:
    mark = "\ufeff" if isinstance(text, str) else b"\xef\xbb\xbf"
    if text.startswith(mark):  # type: ignore[arg-type]
        raise SerializationError("begins with a byte order mark; save it as UTF-8 without one")
    check_parts(text, _MOST_PARTS, "too many lists, objects and fields for a model")
    content = parse_json(
        text,
        "not the JSON of a model, or nested too deeply",
        object_pairs_hook=without_duplicates("a field stands twice"),
        parse_int=_integer,
        parse_float=_float,
        parse_constant=_float,
    )
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SerializationError(f'not a model of vecphe: it must be an object with "format": "{FORMAT}"')
    if type(content.get("version")) is not int or content["version"] != VERSION:
        raise SerializationError(f"the version of the model is unknown; this is vecphe for version {VERSION}")
    return content


def _integer(literal: str) -> int:
    if len(literal) > _LONGEST_NUMBER:
        raise SerializationError(f"a number has more than {_LONGEST_NUMBER} characters")
    return int(literal)


def _float(literal: str) -> float:
    value = float(literal) if len(literal) <= _LONGEST_NUMBER else math.nan
    if not math.isfinite(value):
        raise SerializationError(f"a number is not finite, or has more than {_LONGEST_NUMBER} characters")
    return value


def _check_fields(content: Any, name: str, fields: tuple[str, ...]) -> None:
    if not isinstance(content, dict):
        raise SerializationError(f"{name} must be an object")
    if unknown := sorted(content.keys() - fields):
        raise SerializationError(f"{name} has an unknown field {unknown[0][:40]!r}")
    if missing := [field for field in fields if field not in content]:
        raise SerializationError(f"{name} lacks the field {missing[0]!r}")


def _checked(content: dict[str, Any], name: str, is_right: Any, wanted: str) -> Any:
    value = content.get(name)
    if not is_right(value):
        raise SerializationError(f"{name} must be {wanted}")
    return value


def _numbers(values: Any, name: str, count: int) -> list[float]:
    if not isinstance(values, list) or len(values) != count or any(type(v) not in (int, float) for v in values):
        raise SerializationError(f"{name} must be a list of {counted(count, 'number')}")
    return [float(value) for value in values]


def _linear(content: dict[str, Any], schema: Schema, n_scores: int) -> tuple[LinearForm, Floats]:
    features = content["features"]
    if not isinstance(features, list) or len(features) != len(schema.features):
        raise SerializationError(f"features must be a list of {len(schema.features)}, as the columns have")
    rows = []
    for name, feature in zip(schema.features, features, strict=True):
        _check_fields(feature, "a feature", _FEATURE)
        if feature["name"] != name:
            raise SerializationError("the names of the features are not those that the columns have")
        mean, deviation = _numbers([feature["mean"], feature["deviation"]], "mean and deviation of a feature", 2)
        if deviation <= 0 or (content["rows"] is None and (mean, deviation) != (0, 1)):
            raise SerializationError("the deviation of a feature must be positive, and 1 without scaling, its mean 0")
        rows.append([mean, deviation, *_numbers(feature["coefficients"], "coefficients", n_scores)])
    table = np.array(rows)
    shape = (n_scores,) if n_scores > 1 else ()
    at_mean = np.array(_numbers(content["at_mean"], "at_mean", n_scores)).reshape(shape)
    linear = LinearForm(table[:, 0].copy(), table[:, 2:].reshape(-1, *shape).copy(), at_mean)
    with np.errstate(over="ignore"):
        sizes = np.abs(at_mean) + np.abs(linear.mean) @ np.abs(linear.coefficients)
    if not np.isfinite(sizes).all():
        raise SerializationError("means and coefficients multiply to more than a float holds")
    given = np.array(_numbers(content["intercept"], "intercept", n_scores)).reshape(shape)
    if not (np.abs(given - linear.intercept) <= _ROUNDING * sizes).all():
        raise SerializationError("intercept is not what at_mean, means and coefficients give")
    return linear, table[:, 1].copy()
