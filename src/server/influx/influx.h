/** InfluxDB 1's /query, as far as its clients need it to begin writing. Private to server/. */
#ifndef ARKA_SERVER_INFLUX_INFLUX_H
#define ARKA_SERVER_INFLUX_INFLUX_H

#include "server/http/handlers.h"
#include "server/http/request.h"

/** Does a request to the SQL endpoint carry InfluxQL, as parameter q or in a form? */
bool arka_influxql_asked(arka_request *r);

#endif
