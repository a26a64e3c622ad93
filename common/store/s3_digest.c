/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_digest.h"

#include <openssl/evp.h>

#include "base/hex.h"

static void
md_free(EVP_MD *md)
{
    EVP_MD_free(md);
}

static void
md_context_free(EVP_MD_CTX *context)
{
    EVP_MD_CTX_free(context);
}

DEFINE_POINTER_CLEANUP(md, EVP_MD, md_free);
DEFINE_POINTER_CLEANUP(md_context, EVP_MD_CTX, md_context_free);

int
s3_digest(const char *algorithm, const struct span *spans, size_t n_spans, char *ret_hex,
          struct err *err)
{
    AUTO(md) EVP_MD *md = EVP_MD_fetch(NULL, algorithm, NULL);
    AUTO(md_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (context == NULL)
        return err_memory(err, "digest");
    if (md == NULL)
        return S3_DIGEST_UNAVAILABLE;
    bool good = EVP_DigestInit_ex(context, md, NULL) == 1;
    for (size_t i = 0; good && i < n_spans; i++)
        good = EVP_DigestUpdate(context, spans[i].data, spans[i].size) == 1;
    good = good && EVP_DigestFinal_ex(context, digest, &size) == 1;
    if (!good || (size_t)size * 2 >= S3_DIGEST_HEX_SIZE)
        return err_set(err, ERR_INTERNAL, "could not compute a %s digest", algorithm);
    (void)hex_text(digest, size, ret_hex);
    return 0;
}
