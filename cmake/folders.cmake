# arka_folder(NAME [USES folder...] [LIBS target...])
#   One folder of src/ as one object library. It sees the headers of `src/` by path ("base/status.h");
#   tools/check/house.py compares what it includes with USES, and its unit tests link only it and
#   its USES, so that a call upwards fails to link.
# arka_program(NAME FOLDER ... USES ...) is a folder with a main in it.
set_property(GLOBAL PROPERTY ARKA_FOLDERS "")

function(arka_folder name)
    cmake_parse_arguments(F "TOOLBOX" "" "USES;LIBS" ${ARGN})
    get_property(known GLOBAL PROPERTY ARKA_FOLDERS)
    foreach(u ${F_USES})
        if(NOT u IN_LIST known)
            message(FATAL_ERROR "${name} uses ${u}, which does not stand below it")
        endif()
    endforeach()
    set_property(GLOBAL APPEND PROPERTY ARKA_FOLDERS ${name})

    file(GLOB sources CONFIGURE_DEPENDS ${name}/*.c ${name}/*.cc ${name}/*/*.c) # a large folder has rooms
    if(NOT sources)
        return()
    endif()
    set(tests ${sources})
    list(FILTER sources EXCLUDE REGEX "_test\\.c$|/main\\.c$")
    list(FILTER tests INCLUDE REGEX "_test\\.c$")

    add_library(${name} OBJECT ${sources})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
    target_compile_definitions(${name} PRIVATE ARC_VERSION="${PROJECT_VERSION}")
    target_compile_options(${name} PRIVATE ${ARC_WARNINGS} "$<$<COMPILE_LANGUAGE:C>:${ARC_C_WARNINGS}>")
    target_link_libraries(${name} PUBLIC ${F_LIBS} Threads::Threads)
    set(objects $<TARGET_OBJECTS:${name}>)
    set(libs ${F_LIBS})
    foreach(u ${F_USES})
        if(TARGET ${u})
            get_property(below GLOBAL PROPERTY ARKA_LIBS_${u})
            list(APPEND libs ${below})
            list(APPEND objects $<TARGET_OBJECTS:${u}>)
        endif()
    endforeach()
    list(REMOVE_DUPLICATES libs)
    set_property(GLOBAL PROPERTY ARKA_OBJECTS_${name} ${objects})
    set_property(GLOBAL PROPERTY ARKA_LIBS_${name} ${libs})

    if(ARC_TESTS)
        foreach(t ${tests})
            get_filename_component(stem ${t} NAME_WE)
            set(exe ${name}_${stem})
            arka_tool(${exe} SOURCES ${t} ${CMAKE_SOURCE_DIR}/tests/kit/kit.c USES ${name} LIBS PkgConfig::cmocka)
            target_include_directories(${exe} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
            target_compile_definitions(${exe} PRIVATE ARKA_TESTS_DIR="${CMAKE_SOURCE_DIR}/tests")
            target_compile_options(${exe} PRIVATE -Wno-cast-qual)
            # kit.c stands before the allocator, to make it fail
            target_link_options(${exe} PRIVATE
                -Wl,--wrap=arka_malloc,--wrap=arka_calloc,--wrap=arka_realloc
                -Wl,--wrap=arka_strndup,--wrap=arka_strdup)
            set_target_properties(${exe} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
            add_test(NAME ${name}/${stem} COMMAND ${exe})
            set_tests_properties(${name}/${stem} PROPERTIES LABELS unit TIMEOUT 120)
        endforeach()
    endif()
endfunction()

# arka_tool(NAME SOURCES file... USES folder... [LIBS target...]): an executable of its own sources and of
# those folders with all below them.
function(arka_tool name)
    cmake_parse_arguments(T "" "" "SOURCES;USES;LIBS" ${ARGN})
    set(objects "")
    set(libs "")
    foreach(u ${T_USES})
        get_property(of_folder GLOBAL PROPERTY ARKA_OBJECTS_${u})
        get_property(below GLOBAL PROPERTY ARKA_LIBS_${u})
        list(APPEND objects ${of_folder})
        list(APPEND libs ${below})
    endforeach()
    list(REMOVE_DUPLICATES objects)
    list(REMOVE_DUPLICATES libs)
    add_executable(${name} ${T_SOURCES} ${objects})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
    target_compile_options(${name} PRIVATE ${ARC_WARNINGS} "$<$<COMPILE_LANGUAGE:C>:${ARC_C_WARNINGS}>")
    target_link_libraries(${name} PRIVATE ${libs} ${T_LIBS} Threads::Threads m stdc++)
endfunction()

# arka_executable(NAME FOLDER): the program of FOLDER's main.c, with all that FOLDER uses. (main.c is no
# part of the folder's library, so that the folder can have unit tests, whose main is the kit's.)
function(arka_executable name folder)
    if(NOT TARGET ${folder})
        return()
    endif()
    arka_tool(${name} SOURCES ${folder}/main.c USES ${folder})
    target_compile_definitions(${name} PRIVATE ARC_VERSION="${PROJECT_VERSION}")
    # Found beside the tree's .deps when run from build/, and by its full path from anywhere.
    set_target_properties(${name} PROPERTIES BUILD_RPATH "$ORIGIN/../.deps/duckdb")
endfunction()
