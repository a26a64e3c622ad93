/* SPDX-License-Identifier: PostgreSQL */
#include "codec/libcrypto.h"

#include <openssl/err.h>
#include <openssl/rand.h>

int
libcrypto_failed(struct err *err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    (void)err_set(err, ERR_INTERNAL, "libcrypto failed at %s: %s", what,
                  reason == NULL ? "no reason given" : reason);
    ERR_clear_error();
    return -1;
}

void
libcrypto_forget(void)
{
    ERR_clear_error();
}

int
libcrypto_random(uint8_t *bytes, size_t size, struct err *err)
{
    if (size > 1024 || RAND_bytes(bytes, (int)size) != 1)
        return libcrypto_failed(err, "random bytes");
    return 0;
}
