/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_part.h: one part of a base backup, planned by one thread and read by another.
 *
 * A part's file is a piece of a tar archive (docs/format.md section 12.1). The planner adds items
 * as long as they fit by what the file system says of them; whoever builds the part opens and
 * reads the files and finds out what was really there. A file too large for what is left of a part
 * is opened by the planner and divided into pieces, which different threads may read.
 */
#ifndef ARCHIVE_BACKUP_PART_H
#define ARCHIVE_BACKUP_PART_H

#include "archive/backup_walk.h"
#include "base/buf.h"
#include "catalog/backup_complete.h"

#define PART_SIZE_MAX ((size_t)32 << 20)
#define PART_ITEMS_MAX 8192
/* So the manifest's lines of one part always fit into one manifest object. */
#define PART_PATHS_MAX ((size_t)4 << 20)
/* Directories with files to open in one part: each is an open descriptor. */
#define PART_DIRECTORIES_MAX 32
/* Pieces begin at a multiple of this, which is one of every page size. */
#define PART_PIECE_ALIGN ((size_t)32 << 10)

enum part_kind {
    PART_DIRECTORY,
    PART_FILE,  /* opened and read by the builder */
    PART_PIECE, /* of an open file */
    PART_BYTES, /* content that is in memory */
    PART_END,   /* the two zero blocks */
};

/* A large file that is open; shared by its pieces. */
struct part_source;

struct part_item {
    enum part_kind kind;
    struct walk_directory *directory; /* NULL: name is the whole path */
    char *name;
    struct stat st;
    size_t cost; /* bytes it may take of the part */
    bool relation;
    uint32_t segment;
    struct part_source *source; /* PART_PIECE */
    uint64_t offset;
    uint64_t length;
    uint8_t *bytes; /* PART_BYTES: st.st_size of them */
    /* What the builder found: */
    bool gone;
    uint64_t part_offset; /* of the content in the part's file */
    uint32_t crc32c;      /* of the content in this part */
};

struct part {
    struct part_item *items;
    size_t n_items;
    size_t capacity;
    size_t planned;    /* bytes the items may take */
    size_t path_bytes; /* of their paths */
    const struct walk_directory *last_directory;
    size_t n_directories;
    struct backup_damage *damage; /* at most BACKUP_DAMAGE_MAX */
    size_t n_damage;
    uint64_t damage_count;
};

#define PART_INIT ((struct part){.n_items = 0})

/* How pages are judged. */
struct part_rules {
    bool checksums;
    uint32_t block_size;
    uint32_t relation_segment_pages;
    uint64_t start_lsn;
};

enum part_outcome {
    PART_FULL = 1, /* nothing was added: it goes into the next part */
    PART_GONE = 2, /* nothing was added: the file vanished */
};

/* ---- planning ---- */

/* The entry as a whole: a directory, or a file. 0, PART_FULL or -1. */
int part_add(struct part *part, const struct walk_entry *entry, struct err *err) MUST_USE;

/* A file's content from memory, under this path. Takes `bytes`, also when it fails. */
int part_add_bytes(struct part *part, const char *path, uint8_t *bytes, size_t size,
                   struct err *err) MUST_USE;
int part_add_end(struct part *part, struct err *err) MUST_USE;

/*
 * Open a file for pieces. 0 (entry->st is what it is now), PART_GONE or -1. The pieces hold it;
 * release it when there are no more to add.
 */
int part_source_open(struct walk_entry *entry, struct part_source **ret_source, struct err *err)
    MUST_USE;
void part_source_release(struct part_source *source);

/*
 * Add as much of the file from *offset on as fits, header included if it begins here, and move
 * *offset. 0: that was the rest of it; PART_FULL: there is more (or not even a beginning fitted).
 */
int part_add_piece(struct part *part, const struct walk_entry *entry, struct part_source *source,
                   uint64_t *offset, struct err *err) MUST_USE;

/* ---- building ---- */

/*
 * Read everything into `tar`, whose limit is PART_SIZE_MAX and whose content is replaced. 0 or -1
 * (ERR_LOCAL: unreadable; ERR_TRANSIENT: a stop request).
 */
int part_build(struct part *part, const struct part_rules *rules, struct buf *tar, struct err *err)
    MUST_USE;

void part_done(struct part *part);

DEFINE_POINTER_CLEANUP(part_source, struct part_source, part_source_release);

#endif
