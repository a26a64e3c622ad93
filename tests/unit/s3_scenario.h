/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_scenario.h: one request to an S3 store that answers as a script says, and the end it must
 * come to.
 */
#ifndef TESTS_S3_SCENARIO_H
#define TESTS_S3_SCENARIO_H

#include "base/err.h"
#include "fake_server.h"
#include "store/store.h"

#define BODY "hello world"
#define BODY_ETAG "ETag: \"5eb63bbbe01eeed093cb22bb8f5acdc3\"\r\n"
#define XML(code, more) \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" code "</Code>" more "</Error>"
#define ERROR(number, code)                                             \
    {                                                                   \
        .status = (number), .body = XML(code, "<Message>why</Message>") \
    }
#define PLAIN(number)                                                               \
    {                                                                               \
        .status = (number), .headers = "Content-Type: text/html\r\n", .body = "<p>" \
    }
#define GOOD_GET                    \
    {                               \
        .status = 200, .body = BODY \
    }
#define GOOD_PUT                            \
    {                                       \
        .status = 200, .headers = BODY_ETAG \
    }
#define PAGE(truncated, keys)                                                                     \
    "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" \
    "<IsTruncated>" truncated "</IsTruncated>" keys "</ListBucketResult>"
#define KEY(name) "<Contents><Key>" name "</Key><Size>5</Size></Contents>"

#define FAILS(reason, part) .outcome = -1, .kind = (reason), .text = (part)

enum asked { GET, RANGE, PUT, LIST, DELETE };

struct scenario {
    const char *name;
    enum asked asked;
    struct fake_step steps[4];
    int outcome;
    enum err_kind kind;  /* if it fails */
    const char *text;    /* must be in the error's text, or (get) is the body */
    const char *hint;    /* must be in the hint */
    unsigned n_requests; /* 0: one */
    const char *last;    /* must be in the last request's head */
    bool patient;        /* retries for as long as it takes; otherwise for a second */
};

/* The table of a test program, each row a test. */
struct scenarios {
    const struct scenario *rows;
    size_t n;
};

/* For main(): run all tables. */
int scenarios_run(const char *group, const struct scenarios *tables, size_t n_tables);

#endif
