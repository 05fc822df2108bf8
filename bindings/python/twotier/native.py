"""The C interface: structs and functions as the headers declare them."""

import ctypes
import os
from ctypes import POINTER, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint
from ctypes import c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

from . import errors

TOKEN_MAX = 1024


class CError(ctypes.Structure):
    _fields_ = [
        ("code", c_int),
        ("server_errno", c_uint),
        ("sqlstate", c_char * 6),
        ("node", c_char * 128),
        ("message", c_char * 512),
    ]


class CTime(ctypes.Structure):
    _fields_ = [
        ("hours", c_uint32),
        ("micros", c_uint32),
        ("year", c_uint16),
        ("month", c_uint8),
        ("day", c_uint8),
        ("minutes", c_uint8),
        ("seconds", c_uint8),
        ("negative", c_uint8),
        ("reserved", c_uint8),
    ]


class CBytes(ctypes.Structure):
    _fields_ = [("p", c_void_p), ("n", c_size_t)]


class CAs(ctypes.Union):
    _fields_ = [("i", c_int64), ("u", c_uint64), ("d", c_double), ("t", CTime), ("bytes", CBytes)]


# "as" is a word of Python: the C member of that name is `value` here.
class CValue(ctypes.Structure):
    _fields_ = [("type", c_int), ("value", CAs)]


class Sized(ctypes.Structure):
    """A struct that begins with its own size."""

    def __init__(self, **members):
        super().__init__(size=ctypes.sizeof(type(self)), **members)


class CReadInfo(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("source", c_int32),
        ("stale", c_int32),
        ("shared", c_int32),
        ("reserved", c_int32),
        ("age_ms", c_int64),
        ("why", c_char_p),
        ("node", c_char * 128),
    ]


class CReadOptions(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("cache_class", c_char_p),
        ("tags", POINTER(c_char_p)),
        ("n_tags", c_size_t),
        ("consistency", c_int32),
        ("bound_ms", c_int32),
        ("timeout_ms", c_int32),
        ("reserved", c_int32),
    ]


class CWriteOptions(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("tags", POINTER(c_char_p)),
        ("n_tags", c_size_t),
        ("flags", c_uint32),
        ("timeout_ms", c_int32),
    ]


class CWriteInfo(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("affected_rows", c_uint64),
        ("insert_id", c_uint64),
        ("invalidated", c_int32),
        ("reserved", c_int32),
        ("position", c_char * 96),
    ]


class CBeginOptions(Sized):
    _fields_ = [("size", c_size_t), ("timeout_ms", c_int32), ("reserved", c_int32)]


class CCommitOptions(Sized):
    _fields_ = [("size", c_size_t), ("timeout_ms", c_int32), ("reserved", c_int32)]


class CInvalidateOptions(Sized):
    _fields_ = [("size", c_size_t), ("timeout_ms", c_int32), ("reserved", c_int32)]


class CColumn(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("type", c_int),
        ("name", c_char_p),
        ("rows", c_size_t),
        ("validity", POINTER(c_uint8)),
        ("values", c_void_p),
        ("offsets", POINTER(c_uint32)),
    ]


# The layout test compares these with the C compiler's.
STRUCTS = {
    "tt_error": CError,
    "tt_time": CTime,
    "tt_value": CValue,
    "tt_read_info": CReadInfo,
    "tt_read_options": CReadOptions,
    "tt_write_options": CWriteOptions,
    "tt_write_info": CWriteInfo,
    "tt_begin_options": CBeginOptions,
    "tt_commit_options": CCommitOptions,
    "tt_invalidate_options": CInvalidateOptions,
    "tt_column": CColumn,
}

_ERR = POINTER(CError)
_OUT = POINTER(c_void_p)
_VALUES = (POINTER(CValue), c_size_t)

# Name: what it returns, what it takes. Handles are c_void_p.
_FUNCTIONS = {
    "tt_version": (c_char_p,),
    "tt_error_class": (c_int, c_int),
    "tt_error_name": (c_char_p, c_int),
    "tt_error_text": (c_char_p, c_int),
    "tt_config_new": (c_int, c_void_p, _OUT, _ERR),
    "tt_config_free": (None, c_void_p),
    "tt_config_load_file": (c_int, c_void_p, c_char_p, _ERR),
    "tt_config_load_text": (c_int, c_void_p, c_char_p, c_char_p, c_size_t, _ERR),
    "tt_config_set": (c_int, c_void_p, c_char_p, c_char_p, _ERR),
    "tt_config_set_password": (c_int, c_void_p, c_char_p, _ERR),
    "tt_config_set_redis_password": (c_int, c_void_p, c_char_p, _ERR),
    "tt_client_open": (c_int, c_void_p, _OUT, _ERR),
    "tt_client_close": (None, c_void_p),
    "tt_client_reload": (c_int, c_void_p, c_void_p, _ERR),
    "tt_client_ready": (c_int, c_void_p, _ERR),
    "tt_client_status": (c_int, c_void_p, c_int, _OUT, _ERR),
    "tt_metrics_render": (c_int, c_void_p, _OUT, _ERR),
    "tt_explain": (
        (c_int, c_void_p, c_void_p, c_char_p, *_VALUES)
        + (POINTER(CReadOptions), c_int, _OUT, _ERR)
    ),
    "tt_document_text": (c_char_p, c_void_p),
    "tt_document_free": (None, c_void_p),
    "tt_session_new": (c_int, c_void_p, _OUT, _ERR),
    "tt_session_free": (None, c_void_p),
    "tt_session_token": (c_int, c_void_p, c_char_p, c_size_t, _ERR),
    "tt_session_adopt": (c_int, c_void_p, c_char_p, _ERR),
    "tt_session_in_transaction": (c_int, c_void_p),
    "tt_begin": (c_int, c_void_p, POINTER(CBeginOptions), _ERR),
    "tt_commit": (c_int, c_void_p, POINTER(CCommitOptions), POINTER(CWriteInfo), _ERR),
    "tt_rollback": (c_int, c_void_p, _ERR),
    "tt_query_read": (
        (c_int, c_void_p, c_void_p, c_char_p, *_VALUES)
        + (POINTER(CReadOptions), _OUT, POINTER(CReadInfo), _ERR)
    ),
    "tt_query_write": (
        (c_int, c_void_p, c_void_p, c_char_p, *_VALUES)
        + (POINTER(CWriteOptions), POINTER(CWriteInfo), _ERR)
    ),
    "tt_invalidate_tags": (
        (c_int, c_void_p, POINTER(c_char_p), c_size_t) + (POINTER(CInvalidateOptions), _ERR)
    ),
    "tt_cache_clear": (c_int, c_void_p, POINTER(CInvalidateOptions), _ERR),
    "tt_result_free": (None, c_void_p),
    "tt_result_rows": (c_size_t, c_void_p),
    "tt_result_columns": (c_size_t, c_void_p),
    "tt_result_column": (c_int, c_void_p, c_size_t, POINTER(CColumn)),
}


def _load():
    library = ctypes.CDLL(os.environ.get("TWOTIER_LIBRARY", "libtwotier.so.0"))
    for name, (returns, *takes) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = returns
        function.argtypes = takes
    return library


lib = _load()


def version():
    """The version of the library that is linked."""
    return lib.tt_version().decode()


def _text(raw):
    return raw.decode("utf-8", "replace")


def call(function, *args):
    """Call a function whose last parameter is a tt_error; raise what it gives."""
    error = CError()
    code = function(*args, ctypes.byref(error))
    if code != 0:
        _raise(code, error)


def check(code):
    """What a function without a tt_error has returned, if it is no error."""
    if code < 0:
        _raise(code, CError(message=lib.tt_error_text(code)))
    return code


def _raise(code, error):
    kind = lib.tt_error_class(code)
    cls = errors.BY_CLASS[kind] if 0 <= kind < len(errors.BY_CLASS) else errors.InternalError
    raise cls(
        code,
        _text(lib.tt_error_name(code)),
        _text(error.message),
        error.server_errno,
        _text(error.sqlstate),
        _text(error.node),
    )


def make(function, *args):
    """The same for one that makes a handle: its last parameters are `out` and the tt_error."""
    out = c_void_p()
    call(function, *args, ctypes.byref(out))
    return out.value


def document(function, *args):
    """The text of a tt_document."""
    handle = make(function, *args)
    try:
        return _text(lib.tt_document_text(handle))
    finally:
        lib.tt_document_free(handle)
