/** Making snapshots. Private to table/. */
#ifndef ARKA_TABLE_SNAPSHOT_PRIV_H
#define ARKA_TABLE_SNAPSHOT_PRIV_H

#include "table/slices.h"

/** An empty one: the caller puts schema, files and slices in. */
ARKA_MUST_USE arka_status arka_snapshot__new(arka_snapshot **out, arka_error *err);

#endif
