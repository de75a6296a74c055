"""JSON to a file, whole or not at all."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from tempfile import mkstemp
from typing import Any

__all__ = ["check_writable", "write_json"]


def check_writable(path: Path, force: bool) -> None:
    """Raise ValueError or OSError now for what would fail after the work is done."""
    if str(path) == "-":
        return
    if path.is_dir():
        raise ValueError(f"{path} is a directory")
    if path.is_file() and not force:
        raise ValueError(f"{path} exists; use --force to replace it")
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent} is not a directory")


def write_json(path: Path, content: dict[str, Any], force: bool) -> None:
    """Write JSON to a file, or to stdout if `path` is ``-``; a regular file is replaced whole or left as it is.

    JSON has no infinity and no NaN: such figures become null.
    """
    text = json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    elif path.exists() and not path.is_file():  # a device or a pipe
        path.write_text(text, encoding="utf-8")
    else:
        check_writable(path, force)
        _replace(path, text)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
