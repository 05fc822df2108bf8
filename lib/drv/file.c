#include "drv/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"

#define CHUNK 4096

static int fail_errno(const char *path, int number, tt_error *err)
{
    char space[128];

    return tt_fail(err, TT_E_CONFIG, "cannot read %.250s: %s", path,
                   strerror_r(number, space, sizeof(space)));
}

/* Up to one byte more than the maximum, to see that it is exceeded. */
static int read_all(int fd, const char *path, size_t max_bytes, tt_buf *out, tt_error *err)
{
    size_t left = max_bytes + 1;

    while (left > 0) {
        size_t want = TT_MIN(left, (size_t)CHUNK);
        ssize_t got;

        if (!tt_buf_reserve(out, want))
            return tt_fail_nomem(err);
        got = read(fd, out->p + out->n, want);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(path, errno, err);
        if (got == 0)
            return 0;
        out->n += (size_t)got;
        left -= (size_t)got;
    }
    return tt_fail(err, TT_E_CONFIG, "%.250s: expected at most %zu bytes", path, max_bytes);
}

int tt_file_read(const char *path, size_t max_bytes, tt_buf *out, tt_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int rc;

    if (fd < 0)
        return fail_errno(path, errno, err);
    rc = read_all(fd, path, max_bytes, out, err);
    (void)close(fd);
    return rc;
}
