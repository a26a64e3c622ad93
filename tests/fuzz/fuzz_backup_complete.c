/* SPDX-License-Identifier: PostgreSQL */
/* What was read, written again, reads the same. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/backup_complete.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    AUTO(backup_complete) struct backup_complete again = BACKUP_COMPLETE_INIT;
    AUTO(buf) struct buf first = BUF_INIT(BACKUP_COMPLETE_MAX);
    AUTO(buf) struct buf second = BUF_INIT(BACKUP_COMPLETE_MAX);
    struct err err = ERR_INIT;

    if (backup_complete_read(data, size, &complete, &err) < 0) {
        require(err.text[0] != '\0' && (err.kind == ERR_CORRUPT || err.kind == ERR_CONFIG));
        require(complete.backup_label_text == NULL);
        return 0;
    }
    require(backup_complete_write(&complete, &first, &err) == 0);
    require(backup_complete_read(first.data, first.size, &again, &err) == 0);
    require(backup_complete_write(&again, &second, &err) == 0);
    require(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    return 0;
}
