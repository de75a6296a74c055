"""What phe says about itself under this name, as far as it is true here: which interface this is."""

__all__ = ["__title__", "__version__"]

__title__ = "phe"
__version__ = "1.5.0"  # the version of phe whose interface this is
