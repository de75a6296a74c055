"""Tables of data from files."""

from vecphe.data.schema import Column, Schema

__all__ = ["Column", "Schema"]
