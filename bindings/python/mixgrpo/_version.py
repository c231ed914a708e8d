"""The release of this package; a library of the same binary interface may be newer."""

__version__ = "0.1.0"
