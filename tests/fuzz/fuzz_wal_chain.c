/* SPDX-License-Identifier: PostgreSQL */
/* However a segment comes in pieces, the verdict is the same. The first byte is the size of the
 * pieces, the second one says whether the file is a partial one. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "restore/wal_chain.h"

#define SYSTEM_ID UINT64_C(7413305566020948123)
#define HEAD 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

/* What is fed: the beginning in pieces, the rest of zeros at once. */
struct input {
    const uint8_t *bytes;
    size_t beginning;
    size_t size;
};

/* 0 or -1, and *err. */
static int
verdict(const struct wal_name *name, const struct input *input, size_t piece, struct err *err)
{
    struct wal_chain chain;
    size_t length = 0;

    *err = ERR_INIT;
    wal_chain_init(&chain, name, SYSTEM_ID, MIB);
    for (size_t at = 0; at < input->size; at += length) {
        length = at < input->beginning ? MIN_OF(piece, input->beginning - at) : input->size - at;
        /* Exactly as large, so that a sanitizer sees every byte read past it. */
        uint8_t *copy = malloc(length);

        require(copy != NULL);
        memcpy(copy, input->bytes + at, length);
        int rc = wal_chain_add(&chain, copy, length, err);
        free(copy);
        if (rc != 0)
            return -1;
        require(chain.offset == at + length);
    }
    return wal_chain_finish(&chain, err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t segment[MIB];
    static const char whole_name[] = "000000010000000000000007";
    static const char partial_name[] = "000000010000000000000007.partial";
    struct wal_name name;
    struct err whole;
    struct err pieces;

    if (size < HEAD)
        return 0;
    const char *text = data[1] % 2 == 0 ? whole_name : partial_name;
    require(wal_name_parse(text, strlen(text), &name));
    /* The input is the beginning of a segment whose other pages are zero, or a file that short. */
    size_t length = MIN_OF(size - HEAD, sizeof(segment));
    memset(segment, 0, sizeof(segment));
    memcpy(segment, data + HEAD, length);
    const struct input input = {segment, length, data[1] % 4 < 2 ? sizeof(segment) : length};
    int rc = verdict(&name, &input, sizeof(segment), &whole);
    require(rc == 0 || (whole.kind == ERR_CORRUPT && whole.text[0] != '\0'));
    require(rc != 0 || input.size == sizeof(segment));
    require(verdict(&name, &input, (size_t)data[0] * 33 + 1, &pieces) == rc);
    require(rc == 0 || strcmp(whole.text, pieces.text) == 0);
    return 0;
}
