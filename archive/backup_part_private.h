/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_part_private.h: what planning and building of a part share. For backup_part.c and
 * backup_build.c only.
 */
#ifndef ARCHIVE_BACKUP_PART_PRIVATE_H
#define ARCHIVE_BACKUP_PART_PRIVATE_H

#include "archive/backup_part.h"
#include "archive/tar_member.h"

/* What ends a tar archive: two blocks of zeros. */
#define END_SIZE (2 * TAR_BLOCK)

int part_source_fd(const struct part_source *source);

#endif
