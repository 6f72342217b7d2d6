/**
 * What the MessagePack decoder ought to make of a body, worked out from the objects that
 * libmsgpack-c builds: every rule of docs/formats/msgpack.md said again, slowly, over a tree.
 */
#ifndef TESTS_FUZZ_MSGPACK_ORACLE_H
#define TESTS_FUZZ_MSGPACK_ORACLE_H

#include "base/buf.h"

/* The options of the decoder; cells may nest less deep than the library goes. */
enum { ORACLE_NOW_US = 7000000, ORACLE_DEPTH = 20 };

/**
 * Appends the expected result as tests/kit/msgpack_outcome.h writes it, but without the reasons of
 * refusals: "INPUT", or writes and "!index" lines. False: not decided (nested deeper than the
 * library goes).
 */
bool oracle_outcome(const uint8_t *body, size_t n, arka_buf *out);

#endif
