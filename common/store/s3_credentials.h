/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_credentials.h: who we are to an S3 store.
 *
 * Taken from the first of: the store's static keys, its credentials file, the environment
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; not asked if the store names a
 * profile), the shared file ($AWS_SHARED_CREDENTIALS_FILE, else $HOME/.aws/credentials). The
 * profile in a file is the store's, else $AWS_PROFILE, else "default". An empty setting or
 * variable counts as none. A source that gives half of the keys, and a file that does not
 * hold the profile, is an error; the next source is not tried. A credentials file must be
 * private (base/secret.h). Values are never put into messages.
 */
#ifndef STORE_S3_CREDENTIALS_H
#define STORE_S3_CREDENTIALS_H

#include "base/cleanup.h"
#include "store/store.h"

#define S3_CREDENTIAL_MAX 4096 /* a session token may be long */

struct s3_credentials {
    char access_key_id[256];
    char secret_access_key[256];
    char session_token[S3_CREDENTIAL_MAX]; /* empty: none */
    char source[320]; /* "configuration", "environment", "file \"/x\", profile \"y\"" */
};

/* 0 or -1: ERR_CONFIG, saying where was looked and what to do. */
int s3_credentials_load(const struct store_config *config, struct s3_credentials *ret,
                        struct err *err) MUST_USE;

/*
 * The section [profile] of a shared credentials file. INI as AWS's tools read it: # and ; comment
 * lines, blanks around "=", CRLF, names of keys in any case; other sections, other keys and the
 * indented lines below these are ignored. Errors are: our profile or one of its keys given twice,
 * a line that is none of these, control characters and a byte order mark anywhere, a value that
 * is over-long, continued on an indented line or has a blank and a comment sign in it (the tools
 * disagree there), an id or token that is not visible ASCII. An empty session token is none.
 * `file` is for messages, which name line and profile only. 0 or -1 (ERR_CONFIG).
 */
int s3_credentials_parse(const char *text, size_t size, const char *file, const char *profile,
                         struct s3_credentials *ret, struct err *err) MUST_USE;

/* Wipe. */
void s3_credentials_done(struct s3_credentials *credentials);

DEFINE_CLEANUP(s3_credentials, struct s3_credentials, s3_credentials_done);

#endif
