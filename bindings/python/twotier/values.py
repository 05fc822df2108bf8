"""Values between Python and the library: to bind, and the columns of results."""

import ctypes
import datetime
import decimal

from .native import CColumn, CTime, CValue, lib

NULL, INT, UINT, DOUBLE, DECIMAL, TEXT, BLOB, DATE, DATETIME, TIME = range(10)
TYPE_NAMES = ("null", "int", "uint", "double", "decimal", "text", "blob", "date", "datetime", "time")


# ---- to bind -------------------------------------------------------------------------------------


def _bytes(kind, raw, keep):
    buffer = ctypes.create_string_buffer(raw, len(raw) + 1)
    keep.append(buffer)
    value = CValue(type=kind)
    value.value.bytes.p = ctypes.addressof(buffer)
    value.value.bytes.n = len(raw)
    return value


def _integer(number):
    value = CValue(type=INT)
    if -(1 << 63) <= number < 1 << 63:
        value.value.i = number
    elif number < 1 << 64 and number > 0:
        value.type = UINT
        value.value.u = number
    else:
        raise OverflowError(f"{number} does not fit into 64 bits")
    return value


def _double(number):
    value = CValue(type=DOUBLE)
    value.value.d = number
    return value


def _duration(delta):
    value = CValue(type=TIME)
    micros = delta // datetime.timedelta(microseconds=1)
    seconds, micros_left = divmod(abs(micros), 1000000)
    value.value.t = CTime(
        hours=seconds // 3600,
        minutes=seconds // 60 % 60,
        seconds=seconds % 60,
        micros=micros_left,
        negative=micros < 0,
    )
    return value


def _naive(moment):
    if moment.tzinfo is not None:
        raise ValueError("no time zone is applied: bind a datetime without tzinfo")


def _datetime(moment):
    _naive(moment)
    value = CValue(type=DATETIME)
    value.value.t = CTime(
        year=moment.year,
        month=moment.month,
        day=moment.day,
        hours=moment.hour,
        minutes=moment.minute,
        seconds=moment.second,
        micros=moment.microsecond,
    )
    return value


def _date(day):
    value = CValue(type=DATE)
    value.value.t = CTime(year=day.year, month=day.month, day=day.day)
    return value


def _time(moment):
    _naive(moment)
    value = CValue(type=TIME)
    value.value.t = CTime(
        hours=moment.hour, minutes=moment.minute, seconds=moment.second, micros=moment.microsecond
    )
    return value


# The first that fits: a bool is an int, a datetime is a date.
_BINDERS = (
    (type(None), lambda v, keep: CValue(type=NULL)),
    (int, lambda v, keep: _integer(int(v))),
    (float, lambda v, keep: _double(v)),
    (str, lambda v, keep: _bytes(TEXT, v.encode("utf-8", "surrogateescape"), keep)),
    ((bytes, bytearray, memoryview), lambda v, keep: _bytes(BLOB, bytes(v), keep)),
    (decimal.Decimal, lambda v, keep: _bytes(DECIMAL, format(v, "f").encode(), keep)),
    (datetime.datetime, lambda v, keep: _datetime(v)),
    (datetime.date, lambda v, keep: _date(v)),
    (datetime.timedelta, lambda v, keep: _duration(v)),
    (datetime.time, lambda v, keep: _time(v)),
)


def _bind(value, keep):
    for types, binder in _BINDERS:
        if isinstance(value, types):
            return binder(value, keep)
    raise TypeError(f"a {type(value).__name__} cannot be bound")


class Params:
    """Bound values as an array, and the memory that they point to."""

    def __init__(self, values):
        self._keep = []
        bound = [_bind(value, self._keep) for value in values]
        self.n = len(bound)
        self.array = (CValue * self.n)(*bound)


class Names:
    """Tags as an array of strings. None stands for "not given"."""

    def __init__(self, names):
        if isinstance(names, str):
            raise TypeError("tags: expected several strings, got one")
        self._raw = [name.encode() for name in names or ()]
        self.n = len(self._raw)
        self.array = (ctypes.c_char_p * self.n)(*self._raw) if self.n else None


# ---- columns -------------------------------------------------------------------------------------


def _array(column, kind):
    return ctypes.cast(column.values, ctypes.POINTER(kind))[: column.rows]


def _slices(column):
    base = column.values
    offsets = column.offsets[: column.rows + 1]
    # Between two offsets lies the value and a zero byte.
    return [ctypes.string_at(base + a, b - a - 1) for a, b in zip(offsets, offsets[1:])]


def _times(column):
    return (CTime * column.rows).from_address(column.values) if column.rows else ()


def _as_date(t):
    try:
        return datetime.date(t.year, t.month, t.day)
    except ValueError:  # a zero date
        return f"{t.year:04}-{t.month:02}-{t.day:02}"


def _as_datetime(t):
    try:
        return datetime.datetime(
            t.year, t.month, t.day, t.hours, t.minutes, t.seconds, t.micros
        )
    except ValueError:
        return f"{_as_date(t)} {t.hours:02}:{t.minutes:02}:{t.seconds:02}.{t.micros:06}"


def _as_duration(t):
    delta = datetime.timedelta(
        hours=t.hours, minutes=t.minutes, seconds=t.seconds, microseconds=t.micros
    )
    return -delta if t.negative else delta


_READERS = {
    NULL: lambda c: [None] * c.rows,
    INT: lambda c: _array(c, ctypes.c_int64),
    UINT: lambda c: _array(c, ctypes.c_uint64),
    DOUBLE: lambda c: _array(c, ctypes.c_double),
    DECIMAL: lambda c: [decimal.Decimal(b.decode()) if b else None for b in _slices(c)],
    TEXT: lambda c: [b.decode("utf-8", "surrogateescape") for b in _slices(c)],
    BLOB: _slices,
    DATE: lambda c: [_as_date(t) for t in _times(c)],
    DATETIME: lambda c: [_as_datetime(t) for t in _times(c)],
    TIME: lambda c: [_as_duration(t) for t in _times(c)],
}


def read_column(result, index):
    """Name, type and values of a column of a tt_result."""
    column = CColumn()
    if lib.tt_result_column(result, index, ctypes.byref(column)) != 0:
        raise IndexError(index)
    values = _READERS[column.type](column)
    if column.validity and column.type != NULL:
        bits = column.validity
        values = [v if bits[i >> 3] >> (i & 7) & 1 else None for i, v in enumerate(values)]
    return column.name.decode("utf-8", "surrogateescape"), TYPE_NAMES[column.type], values
