/* SPDX-License-Identifier: PostgreSQL */
#include "config/nearest.h"

#include <string.h>

#include "base/macros.h"

#define WORD_MAX 63

static char
folded(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return (char)(c == '-' ? '_' : c);
}

unsigned
nearest_distance(const char *word, const char *name)
{
    unsigned row[WORD_MAX + 1];
    size_t n = strlen(name);
    size_t w = strlen(word);

    if (n > WORD_MAX || w > WORD_MAX)
        return NEAREST_MAX + 1;
    for (unsigned i = 0; i <= n; i++)
        row[i] = i;
    for (unsigned j = 1; j <= w; j++) {
        unsigned diagonal = row[0];

        row[0] = j;
        for (size_t i = 1; i <= n; i++) {
            unsigned replaced = diagonal + (folded(word[j - 1]) != folded(name[i - 1]));
            unsigned moved = MIN_OF(row[i], row[i - 1]) + 1;

            diagonal = row[i];
            row[i] = MIN_OF(replaced, moved);
        }
    }
    return row[n] * 2 > n ? NEAREST_MAX + 1 : row[n];
}
