/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_xml.h: the two XML documents an S3 store sends us.
 *
 * Strict and bounded: DOCTYPE, entities, NUL and encodings other than UTF-8 are refused; size,
 * depth, number of elements and length of texts are capped. A document that is not well-formed
 * to its last byte is refused, as is one that gives an element we use twice or with markup in
 * it. Namespaces and elements we do not use are ignored.
 */
#ifndef STORE_S3_XML_H
#define STORE_S3_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define S3_ERROR_FIELD_SIZE 201
#define S3_KEY_MAX 1024
#define S3_LIST_ENTRIES_MAX 1000 /* of one page; S3 never sends more */

/* All fields are made safe for a log line with err_quote() and are cut if too long. */
struct s3_error {
    char code[S3_ERROR_FIELD_SIZE]; /* "NoSuchKey"; empty if the document has none */
    char message[S3_ERROR_FIELD_SIZE];
    char region[S3_ERROR_FIELD_SIZE];  /* <Region> of AuthorizationHeaderMalformed, or empty */
};

/* False if the body is not an S3 <Error> document; ret is then zeroed. */
bool s3_error_parse(const void *body, size_t size, struct s3_error *ret);

struct s3_list;

struct s3_list_sink {
    /* What the list says of itself, before the first entry; 0 or -1 to stop. May be NULL. */
    int (*begin)(struct s3_list_sink *sink, const struct s3_list *list, struct err *err);
    /*
     * One <Contents>, in document order; the key is decoded text of 1 to S3_KEY_MAX bytes,
     * no NUL in it and one behind it, but otherwise whatever the bucket holds. 0 or -1 to stop.
     */
    int (*entry)(struct s3_list_sink *sink, const char *key, size_t length, uint64_t size,
                 struct err *err);
};

struct s3_list {
    bool truncated;
    char next_token[S3_KEY_MAX * 2]; /* not empty if truncated, else empty */
    char start_after[S3_KEY_MAX + 1]; /* as asked for, if the store repeats that; else empty */
    uint32_t key_count;              /* <Contents> seen; <KeyCount> is ignored */
};

/*
 * A ListObjectsV2 result; keys in <EncodingType>url</EncodingType> are decoded. The sink is
 * called only when the document as a whole is well-formed and says whether and how it goes on; it
 * may be NULL.
 * 0 or -1: ERR_CORRUPT (not such a document), ERR_INTERNAL (memory), or the sink's error.
 */
int s3_list_parse(const void *body, size_t size, struct s3_list_sink *sink, struct s3_list *ret,
                  struct err *err) MUST_USE;

#endif
