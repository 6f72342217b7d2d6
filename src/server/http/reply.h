/** An answer on the wire: its headers, and the library's response for it. Private to server/. */
#ifndef ARKA_SERVER_HTTP_REPLY_H
#define ARKA_SERVER_HTTP_REPLY_H

#include <microhttpd.h>

#include "server/http/request.h"

/** Hand the answer (its body, its stream) to the library. On the connection's HTTP thread. */
enum MHD_Result arka_reply_send(arka_request *r);
/** Write it to the socket at once, in the middle of a body; the connection must end after it. */
void arka_reply_send_now(arka_request *r);
/** Write to a plain socket that the head of its request did not come within that time. */
void arka_reply_send_late(int fd, int64_t limit_s);

#endif
