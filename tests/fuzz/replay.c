/* SPDX-License-Identifier: PostgreSQL */
/*
 * replay.c: runs a fuzz target over every file of its corpus, where libFuzzer is not linked in.
 * An empty or missing corpus is a failure: it would prove nothing.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
run_file(int directory, const char *name)
{
    struct stat st;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        perror(name);
        return -1;
    }
    size_t size = (size_t)st.st_size;
    /* Exactly as large as the input, so that a sanitizer sees every byte read past it. */
    uint8_t *data = malloc(size == 0 ? 1 : size);
    if (data == NULL || read(fd, data, size) != (ssize_t)size) {
        perror(name);
        return -1;
    }
    (void)close(fd);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int
main(int argc, char **argv)
{
    unsigned files = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (dir == NULL) {
        (void)fprintf(stderr, "usage: %s CORPUS (an existing directory)\n", argv[0]);
        return 2;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        if (run_file(dirfd(dir), entry->d_name) < 0)
            return 1;
        files++;
    }
    (void)closedir(dir);
    (void)printf("%u inputs replayed\n", files);
    return files == 0 ? 1 : 0;
}
