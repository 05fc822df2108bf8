"""A coherent Redis cache and replica routing for MySQL and MariaDB.

    import pathlib, twotier
    with twotier.Client(pathlib.Path("twotier.yaml")) as client:
        result = client.read("SELECT id, name FROM user WHERE id = ?", [42],
                             cache_class="user", tags=["user:{1}"])
        for id, name in result: ...

The shared library is libtwotier.so.0; TWOTIER_LIBRARY names another file. What a call promises is
said in the C headers; the GIL is released while it runs. A session that is used by two threads at
once, and closing what is in use, raise RuntimeError.
"""

from .client import Client, Result, Session, WriteInfo
from .errors import (
    Conflict,
    DataError,
    Error,
    InternalError,
    OutOfMemory,
    RetryableError,
    TimedOut,
    Unavailable,
    UnknownOutcome,
    UsageError,
)
from .native import version

__all__ = [
    "Client",
    "Conflict",
    "DataError",
    "Error",
    "InternalError",
    "OutOfMemory",
    "Result",
    "RetryableError",
    "Session",
    "TimedOut",
    "Unavailable",
    "UnknownOutcome",
    "UsageError",
    "WriteInfo",
    "version",
]
