/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmocka_all.h: cmocka with the headers it wants before itself.
 */
#ifndef TESTS_CMOCKA_ALL_H
#define TESTS_CMOCKA_ALL_H

/* clang-format off: the order matters */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* Leave the test, having said why. cmocka's own skip() reads as a failure in its TAP output. */
#define SKIP_BECAUSE(reason)                        \
    do {                                            \
        print_message("# skipped: %s\n", (reason)); \
        return;                                     \
    } while (0)

#endif
