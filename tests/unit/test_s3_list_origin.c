/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whose answer a list is. test_s3_list.c has what lists may say.
 */
#include <string.h>

#include "base/macros.h"
#include "cmocka_all.h"
#include "store/s3_list.h"

#define PAGE(content) \
    "<ListBucketResult><IsTruncated>false</IsTruncated>" content "</ListBucketResult>"
#define KEY(name) "<Contents><Key>" name "</Key><Size>5</Size></Contents>"
#define OF(mark) "<StartAfter>" mark "</StartAfter>"

/* "!7" was asked with. */
static const struct {
    const char *body;
    bool marked_request;
    bool trusted; /* a new connection */
    int expected;
} origins[] = {
    {PAGE(OF("!7")), true, false, 0},
    {PAGE(OF("!7") KEY("wal/a")), true, false, 0},
    {PAGE(OF("!6")), true, false, S3_LIST_DOUBTED},
    {PAGE(OF("!6") KEY("wal/a")), true, false, S3_LIST_DOUBTED},
    {PAGE(OF("!6") KEY("of/another/request")), true, false, S3_LIST_DOUBTED},
    {PAGE(OF("!77")), true, false, S3_LIST_DOUBTED},
    {PAGE(OF("")), true, false, S3_LIST_DOUBTED},
    {PAGE(""), true, false, S3_LIST_DOUBTED},
    {PAGE(""), false, false, S3_LIST_DOUBTED},
    {PAGE(OF("")), false, false, S3_LIST_DOUBTED},
    {PAGE(KEY("wal/a")), true, false, 0},
    {PAGE(KEY("wal/a")), false, false, 0},
    {PAGE(""), false, true, 0},
    {PAGE(OF("!6")), true, true, 0},
};

static void
there_is_nothing_only_if_the_list_says_that_to_us(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(origins); i++) {
        struct store_task task = {.kind = TASK_LIST, .name = "wal/", .max = 3};
        struct s3_list_asked asked = {.root = "",
                                      .mark = origins[i].marked_request ? "!7" : "",
                                      .trusted = origins[i].trusted};
        struct buf body = BUF_INIT(1000);
        char last_key[S3_KEY_MAX + 1] = "";
        bool more = true, marked = false;
        struct err err = ERR_INIT;

        task.page_memory = BUF_INIT(1000);
        assert_int_equal(buf_append(&body, origins[i].body, strlen(origins[i].body), &err), 0);
        int rc = s3_list_read(&task, &asked, &body, last_key, &more, &marked, &err);
        if (rc != origins[i].expected)
            fail_msg("%zu: %d", i, rc);
        if (rc == 0) {
            assert_false(more);
            assert_int_equal(marked, strstr(origins[i].body, OF("!7")) != NULL);
        }
        buf_done(&body);
        buf_done(&task.page_memory);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_nothing_only_if_the_list_says_that_to_us),
    };

    return cmocka_run_group_tests_name("s3_list_origin", tests, NULL, NULL);
}
