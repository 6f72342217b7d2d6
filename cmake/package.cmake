# What is installed where, and the Debian package made of it (make deb). Paths are those of a system:
# configure with CMAKE_INSTALL_PREFIX=/usr, as the presets do.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON) # arc and package_files are enough: no tests, no benches
set(made ${CMAKE_BINARY_DIR}/package)
file(MAKE_DIRECTORY ${made})

# Manual page and completions, by the program itself.
add_custom_command(
    OUTPUT ${made}/arc.1.gz ${made}/arc.bash ${made}/_arc ${made}/arc.fish
    COMMAND $<TARGET_FILE:arc> help --man > ${made}/arc.1
    COMMAND gzip -9nf ${made}/arc.1
    COMMAND $<TARGET_FILE:arc> completion bash > ${made}/arc.bash
    COMMAND $<TARGET_FILE:arc> completion zsh > ${made}/_arc
    COMMAND $<TARGET_FILE:arc> completion fish > ${made}/arc.fish
    DEPENDS arc VERBATIM)
execute_process(COMMAND date -u -R -d "${ARC_RELEASED}" OUTPUT_VARIABLE ARC_RELEASED_RFC
    OUTPUT_STRIP_TRAILING_WHITESPACE)
configure_file(${CMAKE_SOURCE_DIR}/packaging/debian/changelog.in ${made}/changelog @ONLY)
add_custom_command(
    OUTPUT ${made}/changelog.gz
    COMMAND gzip -9nkf ${made}/changelog
    DEPENDS ${made}/changelog VERBATIM)
add_custom_target(package_files ALL DEPENDS ${made}/arc.1.gz ${made}/changelog.gz)

# The library of a system that has one is that system's; ours lies beside nobody else's.
cmake_path(IS_PREFIX CMAKE_SOURCE_DIR "${DUCKDB_LIBRARY}" NORMALIZE own_duckdb)
if(own_duckdb)
    set_target_properties(arc PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/arc")
    install(FILES ${DUCKDB_LIBRARY} DESTINATION lib/arc)
endif()
install(TARGETS arc RUNTIME DESTINATION bin)
install(FILES ${made}/arc.1.gz DESTINATION share/man/man1)
install(FILES ${made}/arc.bash DESTINATION share/bash-completion/completions RENAME arc)
install(FILES ${made}/_arc DESTINATION share/zsh/vendor-completions)
install(FILES ${made}/arc.fish DESTINATION share/fish/vendor_completions.d)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/arc.service DESTINATION /lib/systemd/system)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/arc.conf DESTINATION /etc/arc)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/debian/copyright DESTINATION share/doc/arc-tsdb)
install(FILES ${made}/changelog.gz DESTINATION share/doc/arc-tsdb)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/debian/lintian-overrides
    DESTINATION share/lintian/overrides RENAME arc-tsdb)

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_NAME arc-tsdb) # Debian's own `arc` is an archiver
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "Arc developers <arc@localhost.localdomain>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "time-series database that keeps its tables as open Parquet")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Arc takes measurements over HTTP (InfluxDB line protocol, MessagePack), keeps
them as Parquet files that any tool can read, and answers SQL over the newest
row and the oldest file in one query. An acknowledged write is on the disk.

The service listens on 127.0.0.1:8000 and keeps its data in /var/lib/arc,
which removing the package leaves alone.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONFLICTS arc)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
cmake_path(GET DUCKDB_LIBRARY PARENT_PATH CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/packaging/debian/conffiles;${CMAKE_SOURCE_DIR}/packaging/debian/postinst;${CMAKE_SOURCE_DIR}/packaging/debian/prerm;${CMAKE_SOURCE_DIR}/packaging/debian/postrm")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
