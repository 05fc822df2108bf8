/* Feeds every file of the folders given as arguments to a fuzz target, so that a corpus is a
 * regression test under any compiler. A folder that is missing or empty is an error. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of exactly its size, for the sanitizers to see the first byte too far. */
static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat info;
    uint8_t *data = NULL;
    int rc = -1;

    if (!f || fstat(fileno(f), &info) != 0)
        goto out;
    data = malloc(info.st_size > 0 ? (size_t)info.st_size : 1);
    if (!data || fread(data, 1, (size_t)info.st_size, f) != (size_t)info.st_size)
        goto out;
    rc = LLVMFuzzerTestOneInput(data, (size_t)info.st_size);
out:
    if (rc != 0)
        perror(path);
    free(data);
    if (f)
        (void)fclose(f);
    return rc;
}

static int is_file(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static int replay_folder(const char *folder, unsigned *n_files)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int rc = 0;

    if (!dir) {
        perror(folder);
        return -1;
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        char path[4096];
        int n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);

        if (n < 0 || (size_t)n >= sizeof(path))
            rc = -1;
        else if (is_file(path)) {
            rc = replay_file(path);
            ++*n_files;
        }
    }
    (void)closedir(dir);
    return rc;
}

int main(int argc, char **argv)
{
    unsigned n_files = 0;

    for (int i = 1; i < argc; i++) {
        unsigned before = n_files;

        if (replay_folder(argv[i], &n_files) != 0)
            return EXIT_FAILURE;
        if (n_files == before) {
            (void)fprintf(stderr, "%s: no files\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    (void)printf("%u inputs\n", n_files);
    return EXIT_SUCCESS;
}
