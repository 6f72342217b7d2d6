/**
 * How busy the machine is, and what the kernel counts of this process. Any thread.
 *
 * Files read: proc(5) for /proc/{stat,meminfo,loadavg}, /proc/self/{io,net/dev}.
 */
#ifndef ARKA_OBSERVE_MACHINE_USAGE_H
#define ARKA_OBSERVE_MACHINE_USAGE_H

#include "base/slice.h"
#include "base/status.h"

/** What cannot be read is -1. */
typedef struct arka_machine_usage {
    int64_t busy_ticks, all_ticks; /* of all processors, since the machine was started */
    int64_t memory_bytes, available_bytes;
    double load[3]; /* of 1, 5 and 15 minutes */
    int64_t n_processes;
    int64_t sent_bytes, received_bytes; /* of all interfaces but the loopback */
    /* this process: read and write calls (sockets are read and written by others), their bytes */
    int64_t reads, read_bytes, writes, write_bytes;
} arka_machine_usage;

void arka_machine_usage_get(arka_machine_usage *out);

/* From the texts of those files; what a text does not say stays as it is. */
void arka_machine_parse_stat(arka_slice text, arka_machine_usage *out);
void arka_machine_parse_meminfo(arka_slice text, arka_machine_usage *out);
void arka_machine_parse_loadavg(arka_slice text, arka_machine_usage *out);
void arka_machine_parse_net(arka_slice text, arka_machine_usage *out);
void arka_machine_parse_io(arka_slice text, arka_machine_usage *out);

#endif
