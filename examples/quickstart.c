/* Read through the cache, write, and read the write back. Usage: quickstart twotier.yaml */
#include <inttypes.h>
#include <stdio.h>
#include <twotier/twotier.h>

/* readme: README.md shows the code from here to the next such line */
/* From its success on get_seats() shows it, in every process, on every host. */
static int set_seats(tt_client *client, int64_t id, int64_t seats, tt_error *err)
{
    const char *sql = "REPLACE INTO quickstart (id, seats) VALUES (?, ?)";
    tt_value values[] = {tt_int(id), tt_int(seats)};

    return tt_query_write(client, NULL, sql, values, 2, NULL, NULL, err);
}

/* From the cache or, when it is not there, from a replica. The caller frees the rows. */
static int get_seats(tt_client *client, int64_t id, tt_result **rows, tt_read_info *info,
                     tt_error *err)
{
    const char *sql = "SELECT seats FROM quickstart WHERE id = ?";
    tt_read_options cached = {.size = sizeof(cached), .cache_class = ""};
    tt_value key = tt_int(id);

    return tt_query_read(client, NULL, sql, &key, 1, &cached, rows, info, err);
}
/* readme */

static int show(tt_client *client, int64_t id, tt_error *err)
{
    tt_read_info info = TT_READ_INFO_INIT;
    tt_result *rows = NULL;
    int64_t seats = 0;
    int rc = get_seats(client, id, &rows, &info, err);

    if (rc == 0)
        rc = tt_result_int(rows, 0, 0, &seats);
    if (rc == 0)
        printf("%" PRId64 " seats: %s %s\n", seats, info.why, info.node);
    tt_result_free(rows);
    return rc;
}

static int run(tt_client *client, tt_error *err)
{
    const char *sql = "CREATE TABLE IF NOT EXISTS quickstart (id INT PRIMARY KEY, seats INT)";
    tt_write_options ddl = {.size = sizeof(ddl), .flags = TT_WRITE_NO_TAGS};
    int rc = tt_query_write(client, NULL, sql, NULL, 0, &ddl, NULL, err);

    if (rc == 0)
        rc = set_seats(client, 42, 30, err);
    if (rc == 0)
        rc = show(client, 42, err); /* from a server, and into the cache */
    if (rc == 0)
        rc = show(client, 42, err); /* from the cache */
    if (rc == 0)
        rc = set_seats(client, 42, 29, err);
    if (rc == 0)
        rc = show(client, 42, err); /* 29, wherever it comes from */
    return rc;
}

int main(int argc, char **argv)
{
    const char *file = argc > 1 ? argv[1] : "twotier.yaml";
    tt_error err = TT_ERROR_INIT;
    tt_client *client = NULL;
    tt_config *config = NULL;
    int rc = tt_config_new(NULL, &config, &err);

    if (rc == 0)
        rc = tt_config_load_file(config, file, &err);
    if (rc == 0)
        rc = tt_client_open(config, &client, &err);
    if (rc == 0)
        rc = run(client, &err);
    if (rc != 0)
        fprintf(stderr, "quickstart: %s: %s\n", tt_error_name(rc),
                rc == err.code ? err.message : tt_error_text(rc));
    tt_client_close(client);
    tt_config_free(config);
    return rc == 0 ? 0 : 1;
}
