/* SPDX-License-Identifier: PostgreSQL */
#include "archive/keygen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/secret.h"

#define IDENTITY_FILE "identity.txt"
#define WRITER_FILE "writer.key"

static int
open_directory(const char *directory, int *ret_fd, struct err *err)
{
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "could not create directory \"%s\"", directory);
    return fs_open_directory(directory, ret_fd, err);
}

static int
refuse_existing(const char *directory, const char *name, struct err *err)
{
    (void)err_set(err, ERR_LOCAL, "\"%s/%s\" exists already; keys are never overwritten", directory,
                  name);
    return err_hint(err, "Choose another directory. Objects encrypted or signed with the existing "
                         "keys need them.");
}

/* One secret file, durable, or nothing. */
static int
write_secret(int fd, const char *directory, const char *name, const struct buf *text,
             struct err *err)
{
    AUTO(newfile) struct newfile file = NEWFILE_INIT;

    if (newfile_create(&file, fd, 0600, err) < 0 ||
        io_write_full(file.fd, text->data, text->size, name, err) < 0)
        return -1;
    int rc = newfile_commit_new(&file, name, true, err);
    return rc == FS_EXISTS ? refuse_existing(directory, name, err) : rc;
}

static int
identity_content(struct keygen_result *result, struct buf *text, struct err *err)
{
    AUTO(age_identity) struct age_identity identity = {.secret_key = {0}};
    char secret[KEY_TEXT_SIZE];
    char now[CLOCK_TEXT_SIZE];

    if (age_identity_generate(&identity, err) < 0)
        return -1;
    age_recipient_text(identity.public_key, result->recipient);
    age_identity_text(&identity, secret);
    int rc = buf_printf(text, err, "# created: %s\n# public key: %s\n%s\n",
                        clock_text(clock_real_us(), now), result->recipient, secret);
    secret_wipe(secret, sizeof(secret));
    return rc;
}

static int
writer_content(struct keygen_result *result, struct buf *text, struct err *err)
{
    AUTO(writer_key) struct writer_key key = {.seed = {0}};
    char secret[KEY_TEXT_SIZE];
    char now[CLOCK_TEXT_SIZE];

    if (writer_key_generate(&key, err) < 0)
        return -1;
    writer_public_text(&key.public_half, result->writer);
    writer_key_text(&key, secret);
    int rc = buf_printf(text, err, "# created: %s\n# public key: %s\n%s\n",
                        clock_text(clock_real_us(), now), result->writer, secret);
    secret_wipe(secret, sizeof(secret));
    return rc;
}

int
keygen_write(const char *directory, struct keygen_result *ret, struct err *err)
{
    AUTO(fd) int fd = -1;
    AUTO(secret_buf) struct buf identity = BUF_INIT(BUF_LIMIT_DEFAULT);
    AUTO(secret_buf) struct buf writer = BUF_INIT(BUF_LIMIT_DEFAULT);

    if (open_directory(directory, &fd, err) < 0)
        return -1;
    if (faccessat(fd, IDENTITY_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return refuse_existing(directory, IDENTITY_FILE, err);
    if (faccessat(fd, WRITER_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return refuse_existing(directory, WRITER_FILE, err);
    if (identity_content(ret, &identity, err) != 0 || writer_content(ret, &writer, err) != 0)
        return -1;
    if (write_secret(fd, directory, WRITER_FILE, &writer, err) < 0)
        return -1;
    return write_secret(fd, directory, IDENTITY_FILE, &identity, err);
}
