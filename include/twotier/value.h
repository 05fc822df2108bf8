/* twotier/value.h: values to bind, and the types of columns. */
#ifndef TWOTIER_VALUE_H
#define TWOTIER_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <twotier/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Most parameters of one statement, and longest bound value. */
#define TT_PARAMETERS_MAX 4096
#define TT_VALUE_BYTES_MAX (16u * 1024u * 1024u)

/** The type of a value and of a column. */
typedef enum tt_type {
    TT_TYPE_NULL = 0, /**< a bound NULL; as a column: a literal NULL without a type */
    TT_TYPE_INT,      /**< signed 64-bit: TINYINT to BIGINT, YEAR */
    TT_TYPE_UINT,     /**< unsigned 64-bit: the UNSIGNED integers, BIT (big-endian value) */
    TT_TYPE_DOUBLE,   /**< FLOAT (exactly widened) and DOUBLE */
    TT_TYPE_DECIMAL,  /**< DECIMAL as text, up to 65 digits, nothing lost */
    TT_TYPE_TEXT,     /**< CHAR, VARCHAR, TEXT, ENUM, SET, JSON: bytes in UTF-8 */
    TT_TYPE_BLOB,     /**< BINARY, VARBINARY, BLOB, GEOMETRY: bytes */
    TT_TYPE_DATE,     /**< tt_time: year, month, day; zero dates kept */
    TT_TYPE_DATETIME, /**< tt_time: DATETIME and TIMESTAMP, with microseconds; zero dates kept */
    TT_TYPE_TIME      /**< tt_time: hours up to 838, sign, microseconds */
} tt_type;

/** A date, a time, or both. Fields that a type does not have are 0 (in a value to bind anything
 * else, or a field out of range, is TT_E_ARGUMENT). Times of day are as the server gave them: no
 * time zone is applied. */
typedef struct tt_time {
    uint32_t hours;  /**< 0..23; for TT_TYPE_TIME 0..838 */
    uint32_t micros; /**< 0..999999 */
    uint16_t year;
    uint8_t month, day; /**< 0 in zero dates */
    uint8_t minutes, seconds;
    uint8_t negative; /**< 1 for a negative TT_TYPE_TIME */
    uint8_t reserved; /**< 0 */
} tt_time;

/** A value to bind to a `?`. Bytes at NULL are TT_E_ARGUMENT, unless there are none; `reserved` of
 * a time must be 0. Text and bytes are borrowed until the call returns (calls that go on without
 * the caller, as of tt_queue, copy them). Make one with the functions below. */
typedef struct tt_value {
    tt_type type;
    union {
        int64_t i;
        uint64_t u;
        double d;
        tt_time t;
        struct {
            const void *p;
            size_t n;
        } bytes; /**< DECIMAL, TEXT, BLOB */
    } as;
} tt_value;

/** Make a value. Inline, never fail; a NULL pointer gives NULL. */
static inline tt_value tt_null(void)
{
    tt_value v;
    memset(&v, 0, sizeof(v));
    return v;
}

static inline tt_value tt_int(int64_t i)
{
    tt_value v = tt_null();
    v.type = TT_TYPE_INT;
    v.as.i = i;
    return v;
}

static inline tt_value tt_uint(uint64_t u)
{
    tt_value v = tt_null();
    v.type = TT_TYPE_UINT;
    v.as.u = u;
    return v;
}

static inline tt_value tt_double(double d)
{
    tt_value v = tt_null();
    v.type = TT_TYPE_DOUBLE;
    v.as.d = d;
    return v;
}

static inline tt_value tt_bytes_of(tt_type type, const void *p, size_t size_bytes)
{
    tt_value v = tt_null();
    if (p) {
        v.type = type;
        v.as.bytes.p = p;
        v.as.bytes.n = size_bytes;
    }
    return v;
}

static inline tt_value tt_text(const char *s)
{
    return tt_bytes_of(TT_TYPE_TEXT, s, s ? strlen(s) : 0);
}

static inline tt_value tt_text_n(const char *s, size_t size_bytes)
{
    return tt_bytes_of(TT_TYPE_TEXT, s, size_bytes);
}

static inline tt_value tt_decimal(const char *s)
{
    return tt_bytes_of(TT_TYPE_DECIMAL, s, s ? strlen(s) : 0);
}

static inline tt_value tt_blob(const void *p, size_t size_bytes)
{
    return tt_bytes_of(TT_TYPE_BLOB, p, size_bytes);
}

/** `type` is TT_TYPE_DATE, TT_TYPE_DATETIME or TT_TYPE_TIME. */
static inline tt_value tt_time_of(tt_type type, tt_time t)
{
    tt_value v = tt_null();
    v.type = type;
    v.as.t = t;
    return v;
}

#ifdef __cplusplus
}
#endif
#endif
