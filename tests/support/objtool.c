/* SPDX-License-Identifier: PostgreSQL */
/*
 * objtool.c: packs a file into an object and unpacks it again, for tests that
 * compare with age, lz4 and zstd. It reads keys without the care the programs
 * take.
 *
 *      objtool keygen WRITERFILE                      writes a writer key, prints the public one
 *      objtool pack [--compression none|lz4|zstd] [--level N] [--created MICROSECONDS]
 *                   (--none | --recipient R...) --writer WRITERFILE [--index INDEX]
 *                   --name NAME --system-id ID IN OUT
 *      objtool unpack [--identity FILE...] --writer PUBLIC --name NAME --system-id ID IN OUT
 *      objtool show --writer PUBLIC IN                the verified seal, one value a line
 *      objtool index [--identity FILE...] --writer PUBLIC IN OUT
 *                                                     the segment index; prints its version
 *
 * Exit code 0, or 1 with the reason on stderr; unpack leaves no OUT behind then.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/secret.h"
#include "codec/object.h"

#define INPUT_MAX (2 * GIB)

struct options {
    const char *compression;
    const char *writer;
    const char *index;
    const char *name;
    const char *identities[KEYS_MAX];
    size_t n_identities;
    struct age_recipient recipients[KEYS_MAX];
    size_t n_recipients;
    bool none;
    uint64_t system_id;
    uint64_t level;
    uint64_t created_us;
    const char *paths[2];
    size_t n_paths;
};

static int
read_file(const char *path, struct buf *ret, struct err *err)
{
    struct stat st;
    size_t got = 0;
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 0)
        return err_set(err, ERR_LOCAL, "could not open \"%s\"", path);
    if (buf_reserve(ret, (size_t)st.st_size + 1, err) != 0)
        return err_memory(err, path);
    if (io_read_full(fd, ret->data, (size_t)st.st_size, &got, path, err) != 0)
        return err_set(err, ERR_LOCAL, "could not read \"%s\"", path);
    ret->size = got;
    return 0;
}

static int
write_file(const char *path, const struct span *spans, size_t n_spans, struct err *err)
{
    AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, ERR_LOCAL, "could not create \"%s\"", path);
    for (size_t i = 0; i < n_spans; i++) {
        if (io_write_full(fd, spans[i].data, spans[i].size, path, err) < 0)
            return -1;
    }
    return 0;
}

static int
keygen(const char *path, struct err *err)
{
    char text[KEY_TEXT_SIZE];
    AUTO(writer_key) struct writer_key key;

    if (writer_key_generate(&key, err) < 0)
        return -1;
    writer_key_text(&key, text);
    const struct span spans[] = {
        {(const uint8_t *)text, strlen(text)},
        {(const uint8_t *)"\n", 1},
    };
    int rc = write_file(path, spans, ARRAY_SIZE(spans), err);
    writer_public_text(&key.public_half, text);
    (void)printf("%s\n", text);
    return rc;
}

static int
pack(const struct options *options, struct err *err)
{
    struct object_format format = {.compression = COMPRESSION_LZ4, .level = (int)options->level};
    const struct object_label label = {options->name, options->system_id,
                                       (int64_t)options->created_us};
    AUTO(secret_buf) struct buf key_text = BUF_INIT(SECRET_FILE_MAX);
    AUTO(writer_key) struct writer_key key;
    AUTO(buf) struct buf file = BUF_INIT(INPUT_MAX);
    AUTO(buf) struct buf index_bytes = BUF_INIT(OBJECT_INDEX_MAX + 1);
    AUTO(object_packer) struct object_packer *packer = NULL;
    struct object_index index = {.version = 0};
    struct span spans[2];

    if (strcmp(options->compression, "none") == 0)
        format.compression = COMPRESSION_NONE;
    if (strcmp(options->compression, "zstd") == 0)
        format.compression = COMPRESSION_ZSTD;
    format.encryption = options->none ? ENCRYPTION_NONE : ENCRYPTION_AGE;
    format.recipients = options->recipients;
    format.n_recipients = options->n_recipients;
    if (options->index != NULL && read_file(options->index, &index_bytes, err) < 0)
        return -1;
    if (options->index != NULL)
        index = (struct object_index){1, index_bytes.data, index_bytes.size};
    if (read_file(options->writer, &key_text, err) < 0 ||
        writer_key_parse((const char *)key_text.data, key_text.size, options->writer, &key, err) <
            0 ||
        read_file(options->paths[0], &file, err) < 0 ||
        object_packer_new(&format, &key, file.size, &packer, err) < 0 ||
        object_packer_write(packer, file.data, file.size, err) < 0 ||
        object_packer_finish(packer, &label, &index, spans, NULL, err) < 0)
        return -1;
    return write_file(options->paths[1], spans, ARRAY_SIZE(spans), err);
}

static int
load_keyring(const struct options *options, struct keyring *keyring, struct err *err)
{
    struct writer_public writer;

    if (writer_public_parse(options->writer, &writer, err) < 0 ||
        keyring_add_writer(keyring, &writer, err) < 0)
        return -1;
    for (size_t i = 0; i < options->n_identities; i++) {
        const char *path = options->identities[i];
        AUTO(secret_buf) struct buf text = BUF_INIT(SECRET_FILE_MAX);

        if (read_file(path, &text, err) < 0 ||
            keyring_add_identities(keyring, (const char *)text.data, text.size, path, err) < 0)
            return -1;
    }
    return 0;
}

static int
append_to(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    return buf_append(context, bytes, size, err);
}

static int
unpack(const struct options *options, struct err *err)
{
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    AUTO(buf) struct buf bytes = BUF_INIT(INPUT_MAX);
    AUTO(buf) struct buf file = BUF_INIT(OBJECT_FILE_MAX);
    struct object object;

    if (load_keyring(options, &keyring, err) < 0 ||
        read_file(options->paths[0], &bytes, err) < 0 ||
        object_open(bytes.data, bytes.size, options->name, options->system_id, &keyring, &object,
                    err) < 0 ||
        object_unpack(&object, &keyring, append_to, &file, NULL, err) < 0)
        return -1;
    const struct span span = {file.data, file.size};
    return write_file(options->paths[1], &span, 1, err);
}

static int
show(const struct options *options, struct err *err)
{
    char text[2 * DIGEST_SIZE + 1];
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    AUTO(buf) struct buf bytes = BUF_INIT(INPUT_MAX);
    struct seal seal;

    if (load_keyring(options, &keyring, err) < 0 ||
        read_file(options->paths[0], &bytes, err) < 0 ||
        object_peek(bytes.data, bytes.size, &keyring, &seal, err) < 0)
        return -1;
    (void)printf("encryption %d\ncompression %d\nname %s\nsystem_id %llu\n", (int)seal.encryption,
                 (int)seal.compression, seal.name, (unsigned long long)seal.system_id);
    (void)printf("file_size %llu\npayload_size %llu\ncreated_us %lld\n",
                 (unsigned long long)seal.file_size, (unsigned long long)seal.payload_size,
                 (long long)seal.created_us);
    (void)printf("writer_id %s\n", hex_text(seal.writer_id, WRITER_ID_SIZE, text));
    (void)printf("fingerprint %s\n", hex_text(seal.fingerprint, DIGEST_SIZE, text));
    (void)printf("payload_digest %s\n", hex_text(seal.payload_digest, DIGEST_SIZE, text));
    if (seal.front_size != 0)
        (void)printf("front %u %s\n", seal.front_size,
                     hex_text(seal.front_digest, DIGEST_SIZE, text));
    return 0;
}

static int
show_index(const struct options *options, struct err *err)
{
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    AUTO(buf) struct buf bytes = BUF_INIT(INPUT_MAX);
    AUTO(buf) struct buf index = BUF_INIT(OBJECT_INDEX_MAX);
    uint32_t version = 0;

    if (load_keyring(options, &keyring, err) < 0 ||
        read_file(options->paths[0], &bytes, err) < 0)
        return -1;
    int rc = object_read_index(bytes.data, bytes.size, &keyring, NULL, &version, &index,
                               err);
    if (rc != 0)
        return rc < 0 ? -1 : err_set(err, ERR_CORRUPT, "the object is cut off");
    (void)printf("%u\n", version);
    const struct span span = {index.data, index.size};
    return write_file(options->paths[1], &span, 1, err);
}

static int
read_number(const char *text, uint64_t *ret, struct err *err)
{
    if (!decimal_read(text, strlen(text), UINT64_MAX, ret))
        return err_set(err, ERR_CONFIG, "not a number: %s", text);
    return 0;
}

/* An option that has a value. 0 or -1. */
static int
read_option(struct options *options, const char *name, const char *value, struct err *err)
{
    const struct {
        const char *name;
        const char **place;
    } texts[] = {
        {"--compression", &options->compression},
        {"--writer", &options->writer},
        {"--index", &options->index},
        {"--name", &options->name},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].place = value;
            return 0;
        }
    }
    if (strcmp(name, "--system-id") == 0)
        return read_number(value, &options->system_id, err);
    if (strcmp(name, "--level") == 0)
        return read_number(value, &options->level, err);
    if (strcmp(name, "--created") == 0)
        return read_number(value, &options->created_us, err);
    if (strcmp(name, "--identity") == 0 && options->n_identities < KEYS_MAX) {
        options->identities[options->n_identities++] = value;
        return 0;
    }
    if (strcmp(name, "--recipient") == 0 && options->n_recipients < KEYS_MAX)
        return age_recipient_parse(value, &options->recipients[options->n_recipients++], err);
    return err_set(err, ERR_CONFIG, "unknown option %s", name);
}

static int
read_options(int argc, char **argv, struct options *options, struct err *err)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--none") == 0) {
            options->none = true;
        } else if (strncmp(argv[i], "--", 2) == 0) {
            if (i + 1 == argc)
                return err_set(err, ERR_CONFIG, "%s needs a value", argv[i]);
            if (read_option(options, argv[i], argv[i + 1], err) < 0)
                return -1;
            i++;
        } else if (options->n_paths < ARRAY_SIZE(options->paths)) {
            options->paths[options->n_paths++] = argv[i];
        } else {
            return err_set(err, ERR_CONFIG, "too many files");
        }
    }
    return 0;
}

static int
run(int argc, char **argv, struct err *err)
{
    struct options options = {.compression = "lz4"};

    if (argc < 3)
        return err_set(err, ERR_CONFIG, "usage: objtool keygen|pack|unpack|show|index ...");
    if (read_options(argc, argv, &options, err) < 0)
        return -1;
    if (strcmp(argv[1], "keygen") == 0 && options.n_paths == 1)
        return keygen(options.paths[0], err);
    if (options.writer == NULL)
        return err_set(err, ERR_CONFIG, "--writer is missing");
    if (strcmp(argv[1], "show") == 0 && options.n_paths == 1)
        return show(&options, err);
    if (strcmp(argv[1], "index") == 0 && options.n_paths == 2)
        return show_index(&options, err);
    if (options.name == NULL || options.n_paths != 2)
        return err_set(err, ERR_CONFIG, "--name or a file is missing");
    if (strcmp(argv[1], "pack") == 0)
        return pack(&options, err);
    if (strcmp(argv[1], "unpack") == 0)
        return unpack(&options, err);
    return err_set(err, ERR_CONFIG, "unknown command %s", argv[1]);
}

int
main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (run(argc, argv, &err) < 0) {
        (void)fprintf(stderr, "objtool: %s: %s\n", err_kind_name(err.kind), err.text);
        return 1;
    }
    return 0;
}
