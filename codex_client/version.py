"""The version of this package, for programs and for the user agent."""

__version__ = "0.1.0"
