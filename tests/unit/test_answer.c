/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <unistd.h>

#include "base/answer.h"
#include "cmocka_all.h"

static void
an_answer_begins_empty(void **state UNUSED)
{
    struct answer answer;

    answer_init(&answer, 7);
    assert_int_equal(answer.ticket, 7);
    assert_int_equal(answer.rc, 0);
    assert_int_equal(answer.err.kind, ERR_NONE);
    assert_int_equal(answer.file, -1);
    assert_int_equal(answer.notices.n, 0);
    answer_done(&answer);
}

static void
an_answer_closes_its_file_once(void **state UNUSED)
{
    struct answer answer;

    answer_init(&answer, 1);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    answer.file = fd;
    notice(&answer.notices.notices, LOG_WARNING, "%s", "said");
    answer_done(&answer);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(answer.file, -1);
    assert_int_equal(answer.notices.n, 0);
    answer_done(&answer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_begins_empty),
        cmocka_unit_test(an_answer_closes_its_file_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
