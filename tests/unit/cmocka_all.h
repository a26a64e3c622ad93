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

#endif
