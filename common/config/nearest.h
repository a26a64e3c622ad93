/* SPDX-License-Identifier: PostgreSQL */
/*
 * nearest.h: the known name somebody probably meant.
 */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#define NEAREST_MAX 2 /* farther away is not worth a hint */

/*
 * Edits (insert, remove, replace) from `word` to `name`, blind to case and to "-" against "_".
 * Words longer than 63 bytes, and short ones that would be changed beyond recognition, are far
 * away from everything: NEAREST_MAX + 1.
 */
unsigned nearest_distance(const char *word, const char *name);

#endif
