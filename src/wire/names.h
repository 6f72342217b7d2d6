/** Names that clients may use; they become directory names, so the rules are strict. */
#ifndef ARKA_WIRE_NAMES_H
#define ARKA_WIRE_NAMES_H

#include "base/slice.h"
#include "base/status.h"

/**
 * Database: a letter or digit, then letters, digits, '_' or '-', 1 to 64 bytes; not one of the
 * reserved `system`, `internal`, `information_schema`, `pg_catalog`, `main`, `temp`.
 * ARKA_INPUT with a sentence that shows the name.
 */
ARKA_MUST_USE arka_status arka_name_check_database(arka_slice name, arka_error *err);
/**
 * Measurement: a letter, digit or '_', then letters, digits, '_', '.', '-' or any other UTF-8
 * above ASCII; 1 to 128 bytes; no "..", not only digits and dots.
 */
ARKA_MUST_USE arka_status arka_name_check_measurement(arka_slice name, arka_error *err);

#endif
