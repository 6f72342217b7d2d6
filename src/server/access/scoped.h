/** Acts on all that a token reaches, where the engine knows only one table, or all. Private to
 * server/. */
#ifndef ARKA_SERVER_ACCESS_SCOPED_H
#define ARKA_SERVER_ACCESS_SCOPED_H

#include "server/http/request.h"

/**
 * As arka_engine_flush, but of the tables inside of the token's scope; what is outside has nothing
 * to flush.
 */
ARKA_MUST_USE arka_status arka_scoped_flush(const arka_request *r, arka_slice database,
                                            arka_slice measurement, int64_t *out_n,
                                            arka_error *err);

#endif
