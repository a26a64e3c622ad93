/* SPDX-License-Identifier: PostgreSQL */
#include "codec/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "base/secret.h"
#include "codec/libcrypto.h"

DEFINE_POINTER_CLEANUP(mac, EVP_MAC, EVP_MAC_free);
DEFINE_POINTER_CLEANUP(mac_context, EVP_MAC_CTX, EVP_MAC_CTX_free);

int
digest_begin(struct digest *digest, struct err *err)
{
    if (digest->context == NULL)
        digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL)
        return libcrypto_failed(err, "SHA-256");
    if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1)
        return libcrypto_failed(err, "SHA-256");
    return 0;
}

int
digest_add(struct digest *digest, const void *bytes, size_t size, struct err *err)
{
    if (size == 0)
        return 0;
    if (EVP_DigestUpdate(digest->context, bytes, size) != 1)
        return libcrypto_failed(err, "SHA-256");
    return 0;
}

int
digest_end(struct digest *digest, uint8_t *ret_digest, struct err *err)
{
    uint8_t result[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (EVP_DigestFinal_ex(digest->context, result, &size) != 1 || size != DIGEST_SIZE)
        return libcrypto_failed(err, "SHA-256");
    memcpy(ret_digest, result, DIGEST_SIZE);
    return 0;
}

void
digest_done(struct digest *digest)
{
    EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}

int
digest_sha256(const struct span *spans, size_t n_spans, uint8_t *ret_digest, struct err *err)
{
    AUTO(digest) struct digest digest = {0};

    if (digest_begin(&digest, err) < 0)
        return -1;
    for (size_t i = 0; i < n_spans; i++) {
        if (digest_add(&digest, spans[i].data, spans[i].size, err) < 0)
            return -1;
    }
    return digest_end(&digest, ret_digest, err);
}

int
digest_hmac(struct span key, const struct span *spans, size_t n_spans, uint8_t *ret_mac,
            struct err *err)
{
    char hash[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_end(),
    };
    AUTO(mac) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (mac == NULL)
        return libcrypto_failed(err, "HMAC");
    AUTO(mac_context) EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    if (context == NULL || EVP_MAC_init(context, key.data, key.size, parameters) != 1)
        return libcrypto_failed(err, "HMAC");

    for (size_t i = 0; i < n_spans; i++) {
        if (spans[i].size > 0 && EVP_MAC_update(context, spans[i].data, spans[i].size) != 1)
            return libcrypto_failed(err, "HMAC");
    }

    AUTO(digest_secret) struct digest_secret result;
    size_t size = 0;
    if (EVP_MAC_final(context, result.bytes, &size, DIGEST_SIZE) != 1 || size != DIGEST_SIZE)
        return libcrypto_failed(err, "HMAC");
    memcpy(ret_mac, result.bytes, DIGEST_SIZE);
    return 0;
}

int
digest_hkdf(struct span input_key, struct span salt, const char *info, uint8_t *ret_key,
            struct err *err)
{
    static const uint8_t no_salt[DIGEST_SIZE];
    static const uint8_t first_block = 1;
    AUTO(digest_secret) struct digest_secret extracted;

    if (salt.size == 0)
        salt = (struct span){no_salt, sizeof(no_salt)};
    if (digest_hmac(salt, &input_key, 1, extracted.bytes, err) < 0)
        return -1;

    const struct span expand[] = {
        {(const uint8_t *)info, strlen(info)},
        {&first_block, 1},
    };
    return digest_hmac((struct span){extracted.bytes, DIGEST_SIZE}, expand, ARRAY_SIZE(expand),
                       ret_key, err);
}

bool
digest_equal(const uint8_t *left, const uint8_t *right)
{
    return CRYPTO_memcmp(left, right, DIGEST_SIZE) == 0;
}

void
digest_secret_done(struct digest_secret *secret)
{
    secret_wipe(secret->bytes, sizeof(secret->bytes));
}
