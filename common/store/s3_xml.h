/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_xml.h: the two XML documents an S3 store sends us.
 *
 * Strict and bounded: DOCTYPE and entities refused, depth, element and text size capped,
 * encodings other than UTF-8 refused. Namespaces are ignored.
 */
#ifndef STORE_S3_XML_H
#define STORE_S3_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define S3_ERROR_FIELD_SIZE 201
#define S3_KEY_MAX 1024

struct s3_error {
    char code[S3_ERROR_FIELD_SIZE];    /* "NoSuchKey"; empty if the document has none */
    char message[S3_ERROR_FIELD_SIZE]; /* made safe for a log line with err_quote() */
    char region[S3_ERROR_FIELD_SIZE];  /* <Region> of AuthorizationHeaderMalformed, or empty */
};

/* False if the body is not an S3 <Error> document; ret is then zeroed. */
bool s3_error_parse(const void *body, size_t size, struct s3_error *ret);

struct s3_list_sink {
    /* One <Contents>, in document order; the key is decoded text. 0 or -1 to stop. */
    int (*entry)(struct s3_list_sink *sink, const char *key, size_t length, uint64_t size,
                 struct err *err);
};

struct s3_list {
    bool truncated;
    char next_token[S3_KEY_MAX * 2];
    uint32_t key_count; /* <Contents> seen */
};

/* A ListObjectsV2 result. 0 or -1: ERR_CORRUPT (not such a document), or the sink's error. */
int s3_list_parse(const void *body, size_t size, struct s3_list_sink *sink, struct s3_list *ret,
                  struct err *err) MUST_USE;

#endif
