/** What a token may do, and where: rights and the tables they reach. Immutable values; any thread.
 */
#ifndef ARKA_AUTH_RIGHTS_H
#define ARKA_AUTH_RIGHTS_H

#include "base/buf.h"
#include "base/status.h"

/** A set of these bits. ADMIN implies the others: see arka_rights_has. */
typedef unsigned arka_rights;
enum { ARKA_MAY_READ = 1, ARKA_MAY_WRITE = 2, ARKA_MAY_DELETE = 4, ARKA_MAY_ADMIN = 8 };

static inline bool arka_rights_has(arka_rights rights, arka_rights wanted)
{
    return (rights & ARKA_MAY_ADMIN) != 0 || (rights & wanted) == wanted;
}

/**
 * A comma list of "read", "write", "delete", "admin", blanks and case aside; "" is none. ARKA_INPUT
 * names the word.
 */
ARKA_MUST_USE arka_status arka_rights_parse(arka_slice text, arka_rights *out, arka_error *err);
/** "read,write", as the store keeps it. */
void arka_rights_text(arka_rights rights, arka_buf *out);
/** Of one bit: "read". */
const char *arka_right_name(arka_rights right);

/** The next word of a comma list, without blanks around it; false at the end. *rest is used up. */
bool arka_word_next(arka_slice *rest, arka_slice *word);

/**
 * Where a token's rights hold: a list of patterns, each "database" or "database.measurement", in
 * which '*' stands for any run of characters. Names compare as arka_name_eq does: ASCII case
 * aside. A token without a scope reaches everything; one with a scope only what matches, and can
 * neither see nor learn of anything else. ADMIN reaches everything: with a scope it is refused when
 * the token is made. A pattern that begins with '*' does not match a database whose name begins
 * with '_': those are ours, and hold what was written to others (_arc.rejected_writes).
 *
 * Counted and immutable.
 */
typedef struct arka_scope arka_scope;

/**
 * From a comma list. Empty text: NULL, which means everything. ARKA_INPUT names the pattern: empty,
 * longer than a name can be, a character that no name has, more than ARKA_SCOPE_PATTERNS.
 */
enum { ARKA_SCOPE_PATTERNS = 256 };
ARKA_MUST_USE arka_status arka_scope_parse(arka_slice text, arka_scope **out, arka_error *err);
arka_scope *arka_scope_ref(arka_scope *scope); /* NULL is NULL */
void arka_scope_unref(arka_scope *scope);      /* NULL is fine */
ARKA_CLEANUP(arka_scope, arka_scope_unref)
/** The patterns, parted by commas, without blanks; "" of NULL. */
const char *arka_scope_text(const arka_scope *scope);
/** May it touch this table? NULL scope: yes. */
bool arka_scope_has_table(const arka_scope *scope, arka_slice database, arka_slice table);
/** Is there, or could there be, any table of this database that it may touch? */
bool arka_scope_has_database(const arka_scope *scope, arka_slice database);
/** The whole database, whatever tables come: for acts on it (create, drop). */
bool arka_scope_has_all_of(const arka_scope *scope, arka_slice database);

#endif
