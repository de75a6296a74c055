"""What phe calls its module of encodings. It only names them: under an alias of the package it is loaded once more."""

from vecphe.phe.encoded import EncodedNumber

__all__ = ["EncodedNumber"]
