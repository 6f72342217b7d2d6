# Every foreign library, once: what it is for, and what would replace it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# HTTP: libmicrohttpd 0.9.75 (epoll, suspend and resume). Would be replaced by: llhttp and our own loop.
pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.70)
# TLS under it: GnuTLS, whose certificates and sessions we look at. Comes and goes with libmicrohttpd.
pkg_check_modules(gnutls REQUIRED IMPORTED_TARGET gnutls>=3.6)
# Hashes of tokens: OpenSSL's libcrypto. Would be replaced by: libsodium.
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto>=3.0)
# JSON in: jansson. Would be replaced by: yyjson.
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson>=2.13)
# The manifest: SQLite. Nothing would replace it.
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3>=3.34)
# Compression of request bodies and Parquet pages.
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd>=1.4)
pkg_check_modules(lz4 REQUIRED IMPORTED_TARGET liblz4>=1.9)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib>=1.2.11)
find_library(SNAPPY_LIBRARY snappy REQUIRED)
# Hashing: XXH3, header and library from Debian's libxxhash-dev.
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash>=0.8)

# SQL: libduckdb, the system's or the one scripts/deps fetched.
find_path(DUCKDB_INCLUDE_DIR duckdb.h HINTS ${CMAKE_SOURCE_DIR}/.deps/duckdb)
find_library(DUCKDB_LIBRARY duckdb HINTS ${CMAKE_SOURCE_DIR}/.deps/duckdb)
if(NOT DUCKDB_INCLUDE_DIR OR NOT DUCKDB_LIBRARY)
    message(FATAL_ERROR "libduckdb or duckdb.h not found: run scripts/deps build")
endif()
add_library(duckdb SHARED IMPORTED)
set_target_properties(duckdb PROPERTIES
    IMPORTED_LOCATION ${DUCKDB_LIBRARY}
    IMPORTED_NO_SONAME ON
    INTERFACE_INCLUDE_DIRECTORIES ${DUCKDB_INCLUDE_DIR})

if(ARC_TESTS)
    pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka>=1.1)
endif()
if(ARC_FUZZ)
    # The tree library that our MessagePack decoder is compared with; msgpack-c in newer releases.
    pkg_search_module(msgpack REQUIRED IMPORTED_TARGET msgpack-c msgpack)
endif()
