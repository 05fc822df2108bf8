"""Clients and sessions."""

import contextlib
import ctypes
import json
import os
from collections import abc, namedtuple

from .handles import Handles, Use
from .native import (
    TOKEN_MAX,
    CBeginOptions,
    CCommitOptions,
    CInvalidateOptions,
    CReadInfo,
    CReadOptions,
    CWriteInfo,
    CWriteOptions,
    call,
    check,
    document,
    lib,
    make,
)
from .values import Names, Params, read_column

_SOURCES = (None, "local", "redis", "replica", "primary")
_CONSISTENCY = {"coherent": 0, "strong": 1, "bounded": 2, "eventual": 3}
_INVALIDATED = ("none", "done", "outstanding", "deferred", "at_commit")
_ONLY_THESE_TAGS, _NO_TAGS = 1, 2
_TRANSACTION = (None, "open", "doomed")
_JSON = 1
_TIMEOUT_S_MAX = 3600

#: What a write did. "outstanding" and "deferred" in `invalidated` are successes outside the promise.
WriteInfo = namedtuple("WriteInfo", "affected_rows insert_id invalidated position")


class Result(abc.Sequence):
    """The rows of a read, as a list of tuples, and where they came from."""

    def __init__(self, handle, info):
        read = [read_column(handle, i) for i in range(lib.tt_result_columns(handle))]
        self.columns = [name for name, _, _ in read]
        self.types = [kind for _, kind, _ in read]
        self.rows = list(zip(*(values for _, _, values in read)))
        self.source = _SOURCES[info.source]
        self.node = info.node.decode()
        self.age_ms = info.age_ms
        self.stale = bool(info.stale)
        self.shared = bool(info.shared)
        self.why = info.why.decode() if info.why else ""

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]

    def dicts(self):
        """The rows as dicts by name of column."""
        return [dict(zip(self.columns, row)) for row in self.rows]


def _milliseconds(seconds):
    """Timeouts are in seconds here; None is the configured one."""
    if seconds is None:
        return 0
    if not 0 < seconds <= _TIMEOUT_S_MAX:
        raise ValueError(f"timeout is {seconds}; expected seconds, more than 0 and at most {_TIMEOUT_S_MAX}")
    return max(1, round(seconds * 1000))


def _write_info(info):
    return WriteInfo(
        info.affected_rows, info.insert_id, _INVALIDATED[info.invalidated], info.position.decode()
    )


def _flatten(value, path=""):
    """Keys of the configuration as tt_config_set takes them."""
    if isinstance(value, abc.Mapping):
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _flatten(inner, f"{path}[{i}]")
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield path, text


@contextlib.contextmanager
def _config(source, password, redis_password):
    handle = make(lib.tt_config_new, None)
    try:
        if isinstance(source, os.PathLike):
            call(lib.tt_config_load_file, handle, os.fsencode(source))
        elif isinstance(source, str):
            raw = source.encode()
            call(lib.tt_config_load_text, handle, None, raw, len(raw))
        else:
            for key, text in _flatten(source):
                call(lib.tt_config_set, handle, key.encode(), text.encode())
        if password is not None:
            call(lib.tt_config_set_password, handle, password.encode())
        if redis_password is not None:
            call(lib.tt_config_set_redis_password, handle, redis_password.encode())
        yield handle
    finally:
        lib.tt_config_free(handle)


def _read_options(cache_class, tags, consistency, timeout):
    names = Names(tags)
    if consistency not in _CONSISTENCY:
        raise ValueError(f"consistency is {consistency!r}; expected one of {', '.join(_CONSISTENCY)}")
    options = CReadOptions(
        cache_class=None if cache_class is None else cache_class.encode(),
        tags=names.array,
        n_tags=names.n,
        consistency=_CONSISTENCY[consistency],
        timeout_ms=_milliseconds(timeout),
    )
    options.keep = names
    return options


class _Queries:
    """Reads and writes, of a client or within a session."""

    def read(self, sql, params=(), *, cache_class=None, tags=None, consistency="coherent",
             timeout=None):
        """Rows. Cached when a `cache_class` is given ("" for the default one); `tags` are then those
        of the tables in the text unless given. `consistency`: coherent, strong or eventual."""
        values = Params(params)
        options = _read_options(cache_class, tags, consistency, timeout)
        info = CReadInfo()
        out = ctypes.c_void_p()
        with self._use() as handles:
            call(lib.tt_query_read, *handles, sql.encode(), values.array, values.n,
                 ctypes.byref(options), ctypes.byref(out), ctypes.byref(info))
        try:
            return Result(out.value, info)
        finally:
            lib.tt_result_free(out.value)

    def write(self, sql, params=(), *, tags=None, only_these_tags=False, no_tags=False,
              timeout=None):
        """A WriteInfo. The tags of the tables that the statement changes are added to `tags`."""
        values = Params(params)
        names = Names(tags)
        options = CWriteOptions(
            tags=names.array,
            n_tags=names.n,
            flags=only_these_tags * _ONLY_THESE_TAGS | no_tags * _NO_TAGS,
            timeout_ms=_milliseconds(timeout),
        )
        info = CWriteInfo()
        with self._use() as handles:
            call(lib.tt_query_write, *handles, sql.encode(), values.array, values.n,
                 ctypes.byref(options), ctypes.byref(info))
        return _write_info(info)

    def explain(self, sql, params=(), *, cache_class=None, tags=None, consistency="coherent"):
        """What read() would do now, and why, as a dict. Runs no statement."""
        values = Params(params)
        options = _read_options(cache_class, tags, consistency, None)
        with self._use() as handles:
            return json.loads(document(lib.tt_explain, *handles, sql.encode(), values.array,
                                       values.n, ctypes.byref(options), _JSON))


class Client(_Queries):
    """One for a process, shared by its threads.

    `config`: a path (os.PathLike) of a YAML file, YAML as a str, or a mapping of keys, nested or
    dotted. Timeouts are in seconds. Closed by close(), or at the end of a `with`."""

    _handles = None

    def __init__(self, config, *, password=None, redis_password=None):
        with _config(config, password, redis_password) as handle:
            self._handles = Handles(make(lib.tt_client_open, handle))

    def _use(self):
        if not self._handles:
            raise ValueError("the client is closed")
        return Use(self._handles)

    def close(self):
        """Close it and its sessions; more than once does nothing. RuntimeError, and nothing is
        closed, while a call is running in another thread."""
        if self._handles:
            self._handles.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __del__(self):
        self.close()

    def session(self, token=""):
        """A Session, which sees what `token` (of another's `token`) stands for."""
        return Session(self, token)

    def invalidate(self, *tags, timeout=None):
        """Invalidate tags after a change that did not go through this library."""
        names = Names(tags)
        options = CInvalidateOptions(timeout_ms=_milliseconds(timeout))
        with self._use() as (client, _):
            call(lib.tt_invalidate_tags, client, names.array, names.n, ctypes.byref(options))

    def clear(self, *, timeout=None):
        """Invalidate every entry of the namespace."""
        options = CInvalidateOptions(timeout_ms=_milliseconds(timeout))
        with self._use() as (client, _):
            call(lib.tt_cache_clear, client, ctypes.byref(options))

    def reload(self, config, *, password=None, redis_password=None):
        """Take over what may change while running; the rest must be equal."""
        with _config(config, password, redis_password) as handle, self._use() as (client, _):
            call(lib.tt_client_reload, client, handle)

    def check_ready(self):
        """Raises Unavailable when no primary is known."""
        with self._use() as (client, _):
            call(lib.tt_client_ready, client)

    def status(self):
        """The state of nodes, pools and cache, as a dict."""
        with self._use() as (client, _):
            return json.loads(document(lib.tt_client_status, client, _JSON))

    def metrics(self):
        """All metrics in the text format of Prometheus."""
        with self._use() as (client, _):
            return document(lib.tt_metrics_render, client)


class Session(_Queries):
    """One logical user or request: what it has written, and the open transaction. One thread at a
    time. Made by Client.session()."""

    _handles = None
    _handle = None

    def __init__(self, client, token=""):
        with client._use() as (handle, _):
            self._client = client
            self._handles = client._handles
            self._handle = make(lib.tt_session_new, handle)
            self._handles.add(self._handle)
        if token:
            self.adopt(token)

    def _use(self):
        if not self._handle:
            raise ValueError("the session is closed")
        return Use(self._handles, self._handle)

    def close(self):
        """Roll back what is open, and free. More than once does nothing. RuntimeError, and nothing
        is freed, while a call of it is running in another thread."""
        if self._handle:
            self._handles.free(self._handle)
            self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __del__(self):
        self.close()

    @property
    def token(self):
        """What this session has written, for adopt() in any process of the same namespace."""
        buffer = ctypes.create_string_buffer(TOKEN_MAX)
        with self._use() as (_, session):
            call(lib.tt_session_token, session, buffer, TOKEN_MAX)
        return buffer.value.decode()

    def adopt(self, token):
        """See all that `token` stands for from now on."""
        with self._use() as (_, session):
            call(lib.tt_session_adopt, session, token.encode())

    @property
    def transaction_state(self):
        """None, "open" or "doomed"."""
        with self._use() as (_, session):
            return _TRANSACTION[check(lib.tt_session_in_transaction(session))]

    def begin(self, *, timeout=None):
        options = CBeginOptions(timeout_ms=_milliseconds(timeout))
        with self._use() as (_, session):
            call(lib.tt_begin, session, ctypes.byref(options))

    def commit(self, *, timeout=None):
        """A WriteInfo. The transaction is over in every case but that of a UsageError."""
        options = CCommitOptions(timeout_ms=_milliseconds(timeout))
        info = CWriteInfo()
        with self._use() as (_, session):
            call(lib.tt_commit, session, ctypes.byref(options), ctypes.byref(info))
        return _write_info(info)

    def rollback(self):
        with self._use() as (_, session):
            call(lib.tt_rollback, session)

    @contextlib.contextmanager
    def transaction(self, *, timeout=None):
        """A `with` that begins, and commits at its end or rolls back when it is left by an
        exception."""
        self.begin(timeout=timeout)
        try:
            yield self
        except BaseException:
            self.rollback()
            raise
        self.commit(timeout=timeout)
