#include "base/nearest.h"

#include <string.h>

enum { LONGEST = 63 };

int arka_edit_distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    int row[LONGEST + 1];
    if (na > LONGEST || nb > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            int drop = row[j] + 1, insert = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < drop ? change : drop;
            row[j] = row[j] < insert ? row[j] : insert;
        }
    }
    return row[nb];
}

const char *arka_nearest(const char *word, const char *const *words, int n, int most)
{
    const char *best = NULL;
    int least = most + 1;
    for (int i = 0; i < n; i++) {
        int d = words[i] ? arka_edit_distance(word, words[i]) : least;
        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}
