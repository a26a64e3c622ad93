/* SPDX-License-Identifier: PostgreSQL */
#include "codec/aead.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "codec/libcrypto.h"

int
aead_begin(struct aead *aead, enum aead_direction direction, const uint8_t *key, struct err *err)
{
    if (aead->context == NULL)
        aead->context = EVP_CIPHER_CTX_new();
    if (aead->context == NULL ||
        EVP_CipherInit_ex2(aead->context, EVP_chacha20_poly1305(), key, NULL, (int)direction,
                           NULL) != 1)
        return libcrypto_failed(err, "ChaCha20-Poly1305");
    return 0;
}

int
aead_seal(struct aead *aead, const uint8_t *nonce, uint8_t *bytes, size_t size, struct err *err)
{
    int done = 0;
    int rest = 0;

    if (size == 0 || size > INT_MAX - AEAD_TAG_SIZE)
        return err_set(err, ERR_INTERNAL, "message of %zu bytes to encrypt", size);
    if (EVP_EncryptInit_ex2(aead->context, NULL, NULL, nonce, NULL) != 1 ||
        EVP_EncryptUpdate(aead->context, bytes, &done, bytes, (int)size) != 1 ||
        EVP_EncryptFinal_ex(aead->context, bytes + done, &rest) != 1 ||
        (size_t)done + (size_t)rest != size ||
        EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_GET_TAG, (int)AEAD_TAG_SIZE,
                            bytes + size) != 1)
        return libcrypto_failed(err, "ChaCha20-Poly1305");
    return 0;
}

int
aead_open(struct aead *aead, const uint8_t *nonce, struct span message, uint8_t *text,
          struct err *err)
{
    uint8_t tag[AEAD_TAG_SIZE];
    int done = 0;
    int rest = 0;

    if (message.size <= AEAD_TAG_SIZE || message.size > INT_MAX)
        return AEAD_FORGED;
    size_t size = message.size - AEAD_TAG_SIZE;
    memcpy(tag, message.data + size, sizeof(tag));

    if (EVP_DecryptInit_ex2(aead->context, NULL, NULL, nonce, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_SET_TAG, (int)sizeof(tag), tag) != 1 ||
        EVP_DecryptUpdate(aead->context, text, &done, message.data, (int)size) != 1 ||
        (size_t)done != size)
        return libcrypto_failed(err, "ChaCha20-Poly1305");
    if (EVP_DecryptFinal_ex(aead->context, text + done, &rest) != 1) {
        libcrypto_forget();
        return AEAD_FORGED;
    }
    return 0;
}

void
aead_done(struct aead *aead)
{
    EVP_CIPHER_CTX_free(aead->context);
    aead->context = NULL;
}
