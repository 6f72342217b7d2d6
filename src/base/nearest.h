/** Words that are a slip of one another. */
#ifndef ARKA_BASE_NEAREST_H
#define ARKA_BASE_NEAREST_H

/**
 * Letters to insert, drop or change until `a` is `b`; words longer than 63 letters are as far from
 * each other as that.
 */
int arka_edit_distance(const char *a, const char *b);

/** Of `words` (n of them; NULLs are passed over) the nearest by at most `most`, or NULL. */
const char *arka_nearest(const char *word, const char *const *words, int n, int most);

#endif
