# Warnings are errors, with gcc and with clang.
set(ARC_WARNINGS -Wall -Wextra -Werror -Wshadow -Wswitch-enum -Wformat=2 -Wundef -Wcast-qual
    -Wwrite-strings -Wno-unused-parameter -Wvla -Wpointer-arith)
set(ARC_C_WARNINGS -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition)
if(CMAKE_C_COMPILER_ID MATCHES Clang)
    list(APPEND ARC_C_WARNINGS -Wthread-safety)
endif()
add_compile_options(-fno-omit-frame-pointer -fno-strict-aliasing)
if(ARC_SANITIZE)
    add_compile_options(-fsanitize=${ARC_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${ARC_SANITIZE})
    add_compile_definitions(ARKA_SANITIZED=1)
endif()
