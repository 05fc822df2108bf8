"""Exceptions: one class for each thing that a caller can do about a failure."""


class Error(Exception):
    """A call failed. `code` and `name` ("TT_E_SQL") say what happened, the class of the exception
    what to do; `server_errno`, `sqlstate` and `node` come from the server, or are 0 and ""."""

    def __init__(self, code, name, message, server_errno=0, sqlstate="", node=""):
        super().__init__(f"{name}: {message}" + (f" [{node}]" if node else ""))
        self.code = code
        self.name = name
        self.message = message
        self.server_errno = server_errno
        self.sqlstate = sqlstate
        self.node = node


class UsageError(Error):
    """The call or its configuration is wrong: mend the program."""


class OutOfMemory(Error):
    """Nothing was changed."""


class RetryableError(Error):
    """Nothing was changed: the same call may succeed soon."""


class TimedOut(Error):
    """The deadline passed; for a write: nothing was changed."""


class Unavailable(Error):
    """No node can serve the call now; nothing was changed."""


class Conflict(Error):
    """Another transaction was in the way: run the transaction again."""


class UnknownOutcome(Error):
    """A write may or may not have happened: read before trying again."""


class InternalError(Error):
    """A defect of the library: please report it."""


class DataError(Error):
    """The data refused it: tell the user."""


# In the order of tt_error_kind.
BY_CLASS = (
    Error,
    UsageError,
    OutOfMemory,
    RetryableError,
    TimedOut,
    Unavailable,
    Conflict,
    UnknownOutcome,
    InternalError,
    DataError,
)
