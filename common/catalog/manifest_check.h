/* SPDX-License-Identifier: PostgreSQL */
/*
 * manifest_check.h: what one line of a manifest may say (docs/format.md section 12.2), for the
 * writer and the reader alike.
 */
#ifndef CATALOG_MANIFEST_CHECK_H
#define CATALOG_MANIFEST_CHECK_H

#include "catalog/backup_manifest.h"

/* What numbers of bytes and files may be: JSON's integers end there. */
#define MANIFEST_NUMBER_MAX ((uint64_t)INT64_MAX)
#define MANIFEST_MODE_MAX 07777

/* Everything that does not depend on other lines. 0 or -1 (ERR_CORRUPT). */
int manifest_check_entry(const struct manifest_entry *entry, struct err *err) MUST_USE;

/* A power of two from 1 to 32 KiB, as PostgreSQL is built. */
bool manifest_block_size_valid(uint64_t size);

#endif
