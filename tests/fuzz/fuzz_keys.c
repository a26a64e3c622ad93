/* SPDX-License-Identifier: PostgreSQL */
/*
 * Key files and public keys. What is read is written as it stood in the text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text of a key must be found in the input. */
static void
require_in(const char *text, const uint8_t *data, size_t size)
{
    if (memmem(data, size, text, strlen(text)) == NULL)
        abort();
}

static void
check_public(const uint8_t *data, size_t size)
{
    char text[KEY_TEXT_SIZE];
    struct age_recipient recipient;
    struct writer_public writer;
    struct err err;
    char *copy = malloc(size + 1);

    if (copy == NULL)
        return;
    memcpy(copy, data, size);
    copy[size] = '\0';
    if (age_recipient_parse(copy, &recipient, &err) == 0) {
        age_recipient_text(recipient.public_key, text);
        if (strcmp(text, copy) != 0)
            abort();
    }
    if (writer_public_parse(copy, &writer, &err) == 0) {
        writer_public_text(&writer, text);
        if (strcmp(text, copy) != 0)
            abort();
    }
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    struct writer_key key;
    char text[KEY_TEXT_SIZE];
    struct err err;

    if (keyring_add_identities(&keyring, (const char *)data, size, "file", &err) == 0) {
        if (keyring.n_identities == 0 || keyring.n_identities > KEYS_MAX)
            abort();
        for (size_t i = 0; i < keyring.n_identities; i++) {
            age_identity_text(&keyring.identities[i], text);
            require_in(text, data, size);
        }
    } else if (keyring.n_identities != 0 || err.kind != ERR_CONFIG) {
        abort();
    }
    if (writer_key_parse((const char *)data, size, "file", &key, &err) == 0) {
        writer_key_text(&key, text);
        require_in(text, data, size);
    }
    if (size < 256)
        check_public(data, size);
    return 0;
}
