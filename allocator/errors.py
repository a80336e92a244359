"""Errors that stop a call: misuse and configuration. Bad client data never raises, it becomes an issue."""

from __future__ import annotations


class AllocatorError(Exception):
    """Base class of every error raised on purpose; its message says what to mend."""


class InputError(AllocatorError):
    """A file that cannot be read at all: absent, empty, of an unknown kind, without a required column."""


class ConfigError(AllocatorError):
    """A framework or assumptions file with a wrong key or value, or an argument outside its allowed values."""


class SolveError(AllocatorError):
    """No solver gave an answer that passes our own checks."""


class OutputError(AllocatorError):
    """A result could not be written: the disk is full, say, or not to be written to."""
