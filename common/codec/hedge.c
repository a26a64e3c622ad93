/* SPDX-License-Identifier: PostgreSQL */
#include "codec/hedge.h"

#include <string.h>

#include "base/io.h"
#include "base/secret.h"

static struct span
text_span(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

int
hedge_begin(const struct writer_key *key, const uint8_t *random,
            const struct hedge_context *context, struct digest_secret *ret_base, struct err *err)
{
    uint8_t secret[HEDGE_RANDOM_SIZE + KEY_SIZE];
    uint8_t name_length[2];
    uint8_t settings[1 + 4 + 4 + 4];
    uint8_t index_digest[DIGEST_SIZE];
    const struct span spans[] = {
        {name_length, sizeof(name_length)},
        context->name,
        {context->file_digest, DIGEST_SIZE},
        {settings, sizeof(settings)},
        {index_digest, sizeof(index_digest)},
    };

    put_u16_be(name_length, (uint16_t)context->name.size);
    settings[0] = context->compression;
    put_u32_be(settings + 1, context->level);
    put_u32_be(settings + 5, context->library_version);
    put_u32_be(settings + 9, context->index_version);
    if (digest_sha256(&context->index, 1, index_digest, err) < 0)
        return -1;

    memcpy(secret, random, HEDGE_RANDOM_SIZE);
    memcpy(secret + HEDGE_RANDOM_SIZE, key->hedge_key, KEY_SIZE);
    int rc = digest_hmac((struct span){secret, sizeof(secret)}, spans, ARRAY_SIZE(spans),
                         ret_base->bytes, err);
    secret_wipe(secret, sizeof(secret));
    return rc;
}

static int
derive_short(const struct digest_secret *base, const char *label, uint8_t *ret_bytes,
             struct err *err)
{
    AUTO(digest_secret) struct digest_secret result;
    const struct span message = text_span(label);

    if (digest_hmac((struct span){base->bytes, DIGEST_SIZE}, &message, 1, result.bytes, err) < 0)
        return -1;
    memcpy(ret_bytes, result.bytes, HEDGE_KEY_SIZE);
    return 0;
}

int
hedge_file_key(const struct digest_secret *base, uint8_t *ret_key, struct err *err)
{
    return derive_short(base, "file key", ret_key, err);
}

int
hedge_nonce(const struct digest_secret *base, uint8_t *ret_nonce, struct err *err)
{
    return derive_short(base, "nonce", ret_nonce, err);
}

int
hedge_ephemeral(const struct digest_secret *base, uint16_t position,
                const struct age_recipient *recipient, uint8_t *ret_secret, struct err *err)
{
    uint8_t number[2];
    const struct span spans[] = {
        text_span("ephemeral"),
        {number, sizeof(number)},
        {recipient->public_key, KEY_SIZE},
    };

    put_u16_be(number, position);
    return digest_hmac((struct span){base->bytes, DIGEST_SIZE}, spans, ARRAY_SIZE(spans),
                       ret_secret, err);
}
