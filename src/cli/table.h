/** A query result as an aligned table for people. */
#ifndef ARKA_CLI_TABLE_H
#define ARKA_CLI_TABLE_H

#include "base/buf.h"
#include "cli/json_rows.h"

/**
 * Append the table: names, a line, the rows, "(n rows, x ms)". Columns whose values are all numbers
 * stand to the right; NULL is shown; control characters are shown as escapes. Widths are those of a
 * terminal, if the process's locale is a UTF-8 one (setlocale).
 */
void arka_table_print(const arka_json_rows *rows, arka_buf *out);

#endif
