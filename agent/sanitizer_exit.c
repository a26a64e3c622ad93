/* SPDX-License-Identifier: PostgreSQL */
/*
 * In a sanitized build a report ends the process with 1 (or 66), which a fetch must never say
 * without proof. These are the hooks through which the sanitizers ask for their options.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "exitcode=205";
}

const char *
__tsan_default_options(void)
{
    return "exitcode=205";
}

const char *
__ubsan_default_options(void)
{
    return "exitcode=205";
}
