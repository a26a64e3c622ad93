/* SPDX-License-Identifier: PostgreSQL */
#include "codec/age_wrap.h"

#include <string.h>

#include "base/secret.h"
#include "codec/aead.h"
#include "codec/curve.h"
#include "codec/digest.h"

static const uint8_t zero_nonce[AEAD_NONCE_SIZE];

static int
wrap_key(const uint8_t *shared, const uint8_t *share, const uint8_t *recipient, uint8_t *ret_key,
         struct err *err)
{
    uint8_t salt[2 * KEY_SIZE];

    memcpy(salt, share, KEY_SIZE);
    memcpy(salt + KEY_SIZE, recipient, KEY_SIZE);
    return digest_hkdf((struct span){shared, KEY_SIZE}, (struct span){salt, sizeof(salt)},
                       "age-encryption.org/v1/X25519", ret_key, err);
}

int
age_wrap_seal(const uint8_t *file_key, const struct age_recipient *recipient,
              const uint8_t *ephemeral_secret, struct age_stanza *ret, struct err *err)
{
    AUTO(digest_secret) struct digest_secret shared;
    AUTO(digest_secret) struct digest_secret key;
    AUTO(aead) struct aead aead = AEAD_INIT;
    struct age_stanza stanza;

    int rc = curve_x25519(ephemeral_secret, NULL, recipient->public_key, shared.bytes, err);
    if (rc == CURVE_LOW_ORDER)
        return err_set(err, ERR_CONFIG, "a recipient is a point of low order");
    if (rc < 0 || curve_x25519_public(ephemeral_secret, stanza.share, err) < 0 ||
        wrap_key(shared.bytes, stanza.share, recipient->public_key, key.bytes, err) < 0)
        return -1;

    memcpy(stanza.wrapped, file_key, AGE_FILE_KEY_SIZE);
    if (aead_begin(&aead, AEAD_SEAL, key.bytes, err) < 0 ||
        aead_seal(&aead, zero_nonce, stanza.wrapped, AGE_FILE_KEY_SIZE, err) < 0) {
        secret_wipe(&stanza, sizeof(stanza));
        return -1;
    }
    *ret = stanza;
    return 0;
}

int
age_wrap_open(const struct age_stanza *stanza, const struct age_identity *identity,
              uint8_t *ret_file_key, struct err *err)
{
    AUTO(digest_secret) struct digest_secret shared;
    AUTO(digest_secret) struct digest_secret key;
    AUTO(digest_secret) struct digest_secret text;
    AUTO(aead) struct aead aead = AEAD_INIT;

    int rc = curve_x25519(identity->secret_key, identity->public_key, stanza->share,
                          shared.bytes, err);
    if (rc == CURVE_LOW_ORDER)
        return err_set(err, ERR_CORRUPT, "age header has an ephemeral share of low order");
    if (rc < 0 || wrap_key(shared.bytes, stanza->share, identity->public_key, key.bytes, err) < 0)
        return -1;

    if (aead_begin(&aead, AEAD_OPEN, key.bytes, err) < 0)
        return -1;
    rc = aead_open(&aead, zero_nonce, (struct span){stanza->wrapped, sizeof(stanza->wrapped)},
                   text.bytes, err);
    if (rc == AEAD_FORGED)
        return AGE_WRAP_NOT_OURS;
    if (rc < 0)
        return -1;
    memcpy(ret_file_key, text.bytes, AGE_FILE_KEY_SIZE);
    return 0;
}

int
age_wrap_mac(const uint8_t *file_key, struct span text, uint8_t *ret_mac, struct err *err)
{
    AUTO(digest_secret) struct digest_secret key;

    if (digest_hkdf((struct span){file_key, AGE_FILE_KEY_SIZE}, (struct span){NULL, 0}, "header",
                    key.bytes, err) < 0)
        return -1;
    return digest_hmac((struct span){key.bytes, DIGEST_SIZE}, &text, 1, ret_mac, err);
}

int
age_wrap_stream_key(const uint8_t *file_key, const uint8_t *nonce, uint8_t *ret_key,
                    struct err *err)
{
    return digest_hkdf((struct span){file_key, AGE_FILE_KEY_SIZE},
                       (struct span){nonce, AGE_NONCE_SIZE}, "payload", ret_key, err);
}
