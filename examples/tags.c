/* Tags: what a cached read depends on, and what a write changes. Two subjects are cached, each
 * under its own tag, and the list of both under a third: a write drops what it touches and leaves
 * the rest. Usage: tags twotier.yaml */
#include <stdio.h>
#include <stdlib.h>
#include <twotier/twotier.h>

static tt_error err = TT_ERROR_INIT;

static void must(int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "tags: %s: %s\n", tt_error_name(rc), rc == err.code ? err.message : "");
    exit(1);
}

static void show(const char *what, const tt_result *result, const tt_read_info *info)
{
    const char *name = "";
    size_t n = 0;

    must(tt_result_bytes(result, 0, 0, &name, &n));
    printf("%-9s %-28.*s %s\n", what, (int)n, name,
           info->source == TT_SOURCE_REDIS ? "from the cache" : "from the database");
}

/* One subject: depends on its own row. The pattern {1} is the first value. */
static void read_subject(tt_client *client, int64_t id)
{
    const char *tags[] = {"subject:{1}"};
    tt_read_options options = TT_READ_OPTIONS_INIT;
    tt_read_info info = TT_READ_INFO_INIT;
    tt_value value = tt_int(id);
    tt_result *result = NULL;
    char what[32];

    options.cache_class = "";
    options.tags = tags;
    options.n_tags = 1;
    must(tt_query_read(client, NULL, "SELECT name FROM tags_subjects WHERE id = ?", &value, 1,
                       &options, &result, &info, &err));
    (void)snprintf(what, sizeof(what), "subject %d", (int)id);
    show(what, result, &info);
    tt_result_free(result);
}

/* The list: depends on every row, so every write to the table names its tag too. */
static void read_list(tt_client *client)
{
    const char *tags[] = {"subjects"};
    tt_read_options options = TT_READ_OPTIONS_INIT;
    tt_read_info info = TT_READ_INFO_INIT;
    tt_result *result = NULL;

    options.cache_class = "";
    options.tags = tags;
    options.n_tags = 1;
    must(tt_query_read(client, NULL,
                       "SELECT GROUP_CONCAT(name ORDER BY id SEPARATOR ', ') FROM tags_subjects",
                       NULL, 0, &options, &result, &info, &err));
    show("the list", result, &info);
    tt_result_free(result);
}

static void read_all(tt_client *client)
{
    read_subject(client, 1);
    read_subject(client, 2);
    read_list(client);
}

static void rename_subject(tt_client *client, int64_t id, const char *name)
{
    const char *tags[] = {"subject:{2}", "subjects"};
    tt_value values[] = {tt_text(name), tt_int(id)};
    tt_write_options options = TT_WRITE_OPTIONS_INIT;
    tt_write_info info = TT_WRITE_INFO_INIT;

    options.tags = tags;
    options.n_tags = 2;
    must(tt_query_write(client, NULL, "UPDATE tags_subjects SET name = ? WHERE id = ?", values, 2,
                        &options, &info, &err));
    printf("subject %d is now %s; invalidation %s\n", (int)id, name,
           info.invalidated == TT_INVALIDATED_DONE ? "done" : "not done yet");
}

static void prepare(tt_client *client)
{
    static const char *const sql[] = {
        "DROP TABLE IF EXISTS tags_subjects",
        "CREATE TABLE tags_subjects (id INT PRIMARY KEY, name VARCHAR(50) NOT NULL)",
        "INSERT INTO tags_subjects VALUES (1, 'Algebra'), (2, 'Botany')",
    };
    tt_write_options options = TT_WRITE_OPTIONS_INIT;

    options.flags = TT_WRITE_NO_TAGS; /* of what nobody reads through the cache yet */
    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++)
        must(tt_query_write(client, NULL, sql[i], NULL, 0, &options, NULL, &err));
    must(tt_cache_clear(client, 0, &err)); /* an earlier run may have left entries */
}

int main(int argc, char **argv)
{
    const char *changed_by_hand[] = {"subject:1", "subjects"};
    tt_client *client = NULL;
    tt_config *config = NULL;

    must(tt_config_new(NULL, &config, &err));
    must(tt_config_load_file(config, argc > 1 ? argv[1] : "twotier.yaml", &err));
    must(tt_client_open(config, &client, &err));
    tt_config_free(config);
    prepare(client);
    read_all(client);
    read_all(client);
    rename_subject(client, 2, "Biology");
    read_all(client);
    must(tt_invalidate_tags(client, changed_by_hand, 2, NULL, &err));
    puts("subject:1 and subjects invalidated: they were changed by other means");
    read_all(client);
    tt_client_close(client);
    return 0;
}
