/** CRC-32C (Castagnoli; RFC 3720, B.4), with the processor's instructions where it has them. */
#ifndef ARKA_BASE_CRC32C_H
#define ARKA_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** Of n bytes; 0 for none. */
uint32_t arka_crc32c(const void *bytes, size_t n);
/** Of what `crc` is the sum of, followed by n more bytes. */
uint32_t arka_crc32c_more(uint32_t crc, const void *bytes, size_t n);
/** The same without those instructions, as the others use it where there are none. */
uint32_t arka_crc32c_portable(uint32_t crc, const void *bytes, size_t n);

#endif
