"""The job of `vecphe predict`: rows of a file through a model of `vecphe run --model`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecphe.cli.output import check_writable, write_text
from vecphe.data import ReadOptions, read_rows
from vecphe.federated import TrainedModel
from vecphe.plaintext.encoding import Floats

__all__ = ["predict_file"]


def predict_file(
    model_path: Path,
    data: Path,
    out: Path,
    options: ReadOptions,
    *,
    missing: str,
    probabilities: bool,
    force: bool,
) -> None:
    """Write a line for each row of `data`, below a header.

    With ``missing="drop"`` rows with a missing cell have none, and a first column says which line each is of; with
    "mean" the mean of the training rows stands for it, if the model was scaled and has it.

    Raises
    ------
    ValueError, OSError
        If one of the files is none of its kind, or cannot be read or written.
    """
    check_writable(out, force)
    model = TrainedModel.load(model_path)
    if probabilities and model.classes is None:
        raise ValueError(f"{model_path}: a model of a regression has no probabilities: leave out --probabilities")
    if missing == "mean" and not model.has_means:
        raise ValueError(
            f"{model_path}: the model has no means to fill in, for it was trained with --scale none: --missing drop, "
            "or train one with --scale federated"
        )
    X, places = read_rows(str(data), model.schema, options, missing=missing, has_means=model.has_means)
    write_text(out, _table(model, X, places if missing == "drop" else None, probabilities), force)


def _table(model: TrainedModel, X: Floats, places: npt.NDArray[np.int64] | None, probabilities: bool) -> str:
    with np.errstate(over="ignore", invalid="ignore"):
        columns = [model.predict(X).tolist()]
        shares = model.predict_proba(X) if probabilities else np.empty((len(X), 0))
    if model.classes is None and not np.isfinite(columns[0]).all():
        raise ValueError(
            "a prediction is beyond all floats: the rows are not of the kind that the model was trained on"
        )
    header = [model.target]
    for label, share in zip(model.classes or (), shares.T, strict=False):
        header.append(f"{model.target}={label}")
        columns.append(share.tolist())
    if places is not None:
        header.insert(0, "line")
        columns.insert(0, places.tolist())
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    return file.getvalue()
