/* SPDX-License-Identifier: PostgreSQL */
#include "codec/curve.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/libcrypto.h"

DEFINE_POINTER_CLEANUP(pkey, EVP_PKEY, EVP_PKEY_free);
DEFINE_POINTER_CLEANUP(pkey_context, EVP_PKEY_CTX, EVP_PKEY_CTX_free);
DEFINE_POINTER_CLEANUP(md_context, EVP_MD_CTX, EVP_MD_CTX_free);

static int
public_of(int type, const uint8_t *secret, uint8_t *ret_public, struct err *err)
{
    uint8_t public_key[CURVE_KEY_SIZE];
    size_t size = sizeof(public_key);

    AUTO(pkey) EVP_PKEY *key = EVP_PKEY_new_raw_private_key(type, NULL, secret, CURVE_KEY_SIZE);
    if (key == NULL || EVP_PKEY_get_raw_public_key(key, public_key, &size) != 1 ||
        size != sizeof(public_key))
        return libcrypto_failed(err, "public key");
    memcpy(ret_public, public_key, CURVE_KEY_SIZE);
    return 0;
}

int
curve_x25519_public(const uint8_t *secret, uint8_t *ret_public, struct err *err)
{
    return public_of(EVP_PKEY_X25519, secret, ret_public, err);
}

/* libcrypto computes a public key that it is not given. NULL: it failed. */
static EVP_PKEY *
x25519_key(const uint8_t *secret, const uint8_t *public_key)
{
    EVP_PKEY *key = NULL;

    if (public_key == NULL)
        return EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, CURVE_KEY_SIZE);
    AUTO(pkey_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_X25519, NULL);
    OSSL_PARAM parts[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)(uintptr_t)secret,
                                CURVE_KEY_SIZE),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)public_key,
                                CURVE_KEY_SIZE),
        OSSL_PARAM_END,
    };
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parts) != 1)
        return NULL;
    return key;
}

int
curve_x25519(const uint8_t *secret, const uint8_t *public_key, const uint8_t *other_public,
             uint8_t *ret_shared, struct err *err)
{
    static const uint8_t zero[CURVE_KEY_SIZE];
    AUTO(digest_secret) struct digest_secret shared = {{0}};
    size_t size = CURVE_KEY_SIZE;

    AUTO(pkey) EVP_PKEY *ours = x25519_key(secret, public_key);
    AUTO(pkey) EVP_PKEY *theirs =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, other_public, CURVE_KEY_SIZE);
    if (ours == NULL || theirs == NULL)
        return libcrypto_failed(err, "X25519");
    AUTO(pkey_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(ours, NULL);
    if (context == NULL || EVP_PKEY_derive_init(context) != 1 ||
        EVP_PKEY_derive_set_peer(context, theirs) != 1)
        return libcrypto_failed(err, "X25519");

    /* libcrypto refuses a zero result itself, as a failed derivation without further reason. */
    if (EVP_PKEY_derive(context, shared.bytes, &size) != 1) {
        if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
            return libcrypto_failed(err, "X25519");
        libcrypto_forget();
        return CURVE_LOW_ORDER;
    }
    if (size != CURVE_KEY_SIZE)
        return libcrypto_failed(err, "X25519");
    if (CRYPTO_memcmp(shared.bytes, zero, CURVE_KEY_SIZE) == 0)
        return CURVE_LOW_ORDER;
    memcpy(ret_shared, shared.bytes, CURVE_KEY_SIZE);
    return 0;
}

int
curve_ed25519_public(const uint8_t *seed, uint8_t *ret_public, struct err *err)
{
    return public_of(EVP_PKEY_ED25519, seed, ret_public, err);
}

int
curve_ed25519_sign(const uint8_t *seed, struct span message, uint8_t *ret_signature,
                   struct err *err)
{
    uint8_t signature[CURVE_SIGNATURE_SIZE];
    size_t size = sizeof(signature);

    AUTO(pkey) EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, CURVE_KEY_SIZE);
    AUTO(md_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (key == NULL || context == NULL ||
        EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(context, signature, &size, message.data, message.size) != 1 ||
        size != sizeof(signature))
        return libcrypto_failed(err, "Ed25519 signature");
    memcpy(ret_signature, signature, CURVE_SIGNATURE_SIZE);
    return 0;
}

int
curve_ed25519_verify(const uint8_t *public_key, struct span message, const uint8_t *signature,
                     bool *ret_good, struct err *err)
{
    AUTO(pkey) EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, CURVE_KEY_SIZE);
    AUTO(md_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (key == NULL || context == NULL ||
        EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) != 1)
        return libcrypto_failed(err, "Ed25519 verification");

    /* Without memory it says no as if the signature were wrong; errno remembers. */
    errno = 0;
    int rc = EVP_DigestVerify(context, signature, CURVE_SIGNATURE_SIZE, message.data,
                              message.size);
    if (rc != 1 && errno == ENOMEM)
        return libcrypto_failed(err, "Ed25519 verification, out of memory");
    libcrypto_forget();
    *ret_good = rc == 1;
    return 0;
}

bool
curve_ed25519_low_order(const uint8_t *public_key)
{
    /* The y coordinates of the eight points of low order: 0, 1, p-1, the two of order 8, and p
     * and p+1, which are 0 and 1 once more. The sign bit does not count. */
    static const uint8_t table[][CURVE_KEY_SIZE] = {
        {0},
        {1},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
         0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
         0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
         0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
         0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (memcmp(public_key, table[i], CURVE_KEY_SIZE - 1) == 0 &&
            (public_key[CURVE_KEY_SIZE - 1] & 0x7f) == table[i][CURVE_KEY_SIZE - 1])
            return true;
    }
    return false;
}
