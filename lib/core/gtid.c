#include "core/gtid.h"

#include <twotier/error.h>

#define UUID_BYTES 36
#define TAG_BYTES_MAX 32

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_tag_start(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

/* Remember the name of a source; the last one is used again, as lists repeat it for each range. */
static bool name_source(tt_applied *s, tt_str name, tt_gtid_range *r)
{
    const tt_gtid_range *last = s->n ? &s->ranges[s->n - 1] : NULL;

    if (last && tt_str_eq(tt_gtid_source(s, last), name)) {
        r->source_at = last->source_at;
    } else {
        r->source_at = s->names.n;
        tt_buf_put_str(&s->names, name);
    }
    r->source_n = name.n;
    return !s->names.failed;
}

static int add_range(tt_applied *s, tt_str source, uint64_t first, uint64_t last)
{
    tt_gtid_range r = {0, 0, first, last};

    TT_ASSERT(first >= 1 && first <= last && source.n > 0 && source.n <= TT_SOURCE_MAX);
    if (!name_source(s, source, &r))
        return TT_E_NOMEM;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 8;
        tt_gtid_range *grown = tt_renew(s->a, s->ranges, cap * sizeof(*grown));

        if (!grown)
            return TT_E_NOMEM;
        s->ranges = grown;
        s->cap = cap;
    }
    s->ranges[s->n++] = r;
    return 0;
}

/* ---- MySQL: uuid[:tag]:range[:range]...[:tag:range...] ---- */

static bool take_uuid(tt_str *item, char *out)
{
    if (item->n < UUID_BYTES + 1 || item->p[UUID_BYTES] != ':')
        return false;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        out[i] = lower(item->p[i]);
        if (dash ? out[i] != '-' : !is_hex(out[i]))
            return false;
    }
    *item = (tt_str){item->p + UUID_BYTES + 1, item->n - UUID_BYTES - 1};
    return true;
}

static bool read_tag(tt_str field, char *out)
{
    if (field.n == 0 || field.n > TAG_BYTES_MAX)
        return false;
    for (size_t i = 0; i < field.n; i++) {
        out[i] = lower(field.p[i]);
        if (!is_tag_start(out[i]) && (i == 0 || out[i] < '0' || out[i] > '9'))
            return false;
    }
    return true;
}

static bool read_range(tt_str field, uint64_t *first, uint64_t *last)
{
    tt_str start = tt_str_cut(&field, '-');

    if (!tt_str_u64(start, first))
        return false;
    *last = *first;
    if (field.p && !tt_str_u64(field, last))
        return false;
    return *first >= 1 && *first <= *last;
}

static int parse_mysql_item(tt_applied *s, tt_str item)
{
    char source[UUID_BYTES + 1 + TAG_BYTES_MAX];
    size_t source_n = UUID_BYTES;
    bool range_due = true; /* a uuid or a tag without a range after it is not a set */

    if (!take_uuid(&item, source))
        return TT_E_ARGUMENT;
    while (item.p) {
        tt_str field = tt_str_cut(&item, ':');
        uint64_t first, last;
        int rc;

        if (field.n && is_tag_start(lower(field.p[0]))) {
            if ((range_due && source_n > UUID_BYTES) || !read_tag(field, source + UUID_BYTES + 1))
                return TT_E_ARGUMENT;
            source[UUID_BYTES] = ':';
            source_n = UUID_BYTES + 1 + field.n;
            range_due = true;
            continue;
        }
        if (!read_range(field, &first, &last))
            return TT_E_ARGUMENT;
        range_due = false;
        rc = add_range(s, (tt_str){source, source_n}, first, last);
        if (rc != 0)
            return rc;
    }
    return range_due ? TT_E_ARGUMENT : 0;
}

/* ---- MariaDB: domain-server-number ---- */

static size_t put_digits(char *out, uint64_t v)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

static int parse_mariadb_item(tt_applied *s, tt_str item)
{
    char source[2 * 20 + 1];
    tt_str domain_text = tt_str_cut(&item, '-'), server_text = tt_str_cut(&item, '-');
    uint64_t domain, server, number;
    size_t n;

    if (!tt_str_u64(domain_text, &domain) || !tt_str_u64(server_text, &server) ||
        !tt_str_u64(item, &number) || domain > UINT32_MAX || server > UINT32_MAX)
        return TT_E_ARGUMENT;
    if (number == 0)
        return 0; /* nothing of this source: a position that was set by hand may say so */
    n = put_digits(source, domain);
    source[n++] = '-';
    n += put_digits(source + n, server);
    return add_range(s, (tt_str){source, n}, 1, number);
}

/* ---- normal form ---- */

static bool range_before(const tt_applied *s, const tt_gtid_range *a, const tt_gtid_range *b)
{
    int order =
        a->source_at == b->source_at ? 0 : tt_str_cmp(tt_gtid_source(s, a), tt_gtid_source(s, b));

    return order != 0 ? order < 0 : a->first < b->first;
}

static void sift_down(tt_applied *s, size_t root, size_t n)
{
    tt_gtid_range *r = s->ranges;

    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        tt_gtid_range swap = r[root];

        if (child + 1 < n && range_before(s, &r[child], &r[child + 1]))
            child++;
        if (!range_before(s, &swap, &r[child]))
            return;
        r[root] = r[child];
        r[child] = swap;
    }
}

/* A heap sort: in place, no worst case for an outsider to find. Servers send sorted sets, so the
 * usual cost is the one pass that sees it. */
static void sort_ranges(tt_applied *s)
{
    size_t sorted = 1;

    while (sorted < s->n && !range_before(s, &s->ranges[sorted], &s->ranges[sorted - 1]))
        sorted++;
    if (sorted >= s->n)
        return;
    for (size_t i = s->n / 2; i-- > 0;)
        sift_down(s, i, s->n);
    for (size_t end = s->n; --end > 0;) {
        tt_gtid_range swap = s->ranges[0];

        s->ranges[0] = s->ranges[end];
        s->ranges[end] = swap;
        sift_down(s, 0, end);
    }
}

static void join_ranges(tt_applied *s)
{
    size_t kept = 0;

    for (size_t i = 1; i < s->n; i++) {
        tt_gtid_range *last = &s->ranges[kept], *r = &s->ranges[i];

        if (tt_str_eq(tt_gtid_source(s, last), tt_gtid_source(s, r)) && r->first - 1 <= last->last)
            last->last = TT_MAX(last->last, r->last);
        else
            s->ranges[++kept] = *r;
    }
    if (s->n)
        s->n = kept + 1;
}

/* ---- the set ---- */

static int parse_items(tt_applied *s, tt_str text)
{
    text = tt_str_trim(text);
    if (text.n == 0)
        return 0;
    while (text.p) {
        tt_str item = tt_str_trim(tt_str_cut(&text, ','));
        int rc =
            s->family == TT_FAMILY_MYSQL ? parse_mysql_item(s, item) : parse_mariadb_item(s, item);

        if (rc != 0)
            return rc;
    }
    return 0;
}

int tt_applied_parse(const tt_allocator *a, tt_family family, tt_str text, tt_applied **out)
{
    tt_applied *s;
    int rc;

    if (family != TT_FAMILY_MYSQL && family != TT_FAMILY_MARIADB)
        return TT_E_ARGUMENT;
    s = tt_new(a, sizeof(*s));
    if (!s)
        return TT_E_NOMEM;
    s->a = a;
    s->family = family;
    s->names = tt_buf_init(a);
    rc = parse_items(s, text);
    if (rc != 0) {
        tt_applied_free(s);
        return rc;
    }
    sort_ranges(s);
    join_ranges(s);
    *out = s;
    return 0;
}

void tt_applied_free(tt_applied *s)
{
    const tt_allocator *a;

    if (!s)
        return;
    a = s->a;
    tt_buf_free(&s->names);
    tt_del(a, s->ranges);
    tt_del(a, s);
}
