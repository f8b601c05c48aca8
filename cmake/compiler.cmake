# Compiler, language level, warnings and sanitizers: one place for all targets.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "GCC ${CMAKE_CXX_COMPILER_VERSION} destroys some temporaries in co_await expressions twice "
    "(fixed in GCC 13). Use clang-19: cmake --preset release")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Without the folder's name in the key a second clone shares the first one's cache, but for what
  # reads a precompiled header, which names the folder. The sloppiness is what ccache's manual asks
  # for with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    ${CCACHE_PROGRAM})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()

option(HEARTH_WERROR "treat warnings as errors" ON)
set(HEARTH_SANITIZE "" CACHE STRING "address (with undefined) or thread")
option(HEARTH_FUZZ "build the fuzzers of tests/fuzz (clang only)" OFF)
option(HEARTH_FAILPOINTS "build in the points at which $HEARTH_FAILPOINTS lets it fail" OFF)

add_library(hearth_compile_options INTERFACE)
target_include_directories(hearth_compile_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(hearth_compile_options INTERFACE
  HEARTH_VERSION="${PROJECT_VERSION}" BOOST_ASIO_NO_DEPRECATED
  # Coroutine frames by operator new: glibc's aligned_alloc() takes none from the thread's cache and
  # leaves splinters. Nothing of ours is aligned to more than malloc() gives.
  BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC BOOST_ASIO_DISABLE_BOOST_ALIGN)
target_compile_options(hearth_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wthread-safety
  -Wno-missing-field-initializers
  -pthread)  # some library's flags have it: a precompiled header wants the same for all
if(HEARTH_FAILPOINTS)
  target_compile_definitions(hearth_compile_options INTERFACE HEARTH_FAILPOINTS)
endif()
if(HEARTH_WERROR)
  target_compile_options(hearth_compile_options INTERFACE -Werror)
endif()

if(HEARTH_SANITIZE STREQUAL "address")
  # vptr asks for the type information of classes in Debian's libraries, which they don't show. The
  # other three cost a fifth more compile time, of which CI has none, and find little that ASan and
  # the processor don't: nothing in the rooms that were tried.
  add_compile_options(-fsanitize=address,undefined
    -fno-sanitize=vptr,null,alignment,object-size -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(HEARTH_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(HEARTH_SANITIZE)
  message(FATAL_ERROR "HEARTH_SANITIZE is '${HEARTH_SANITIZE}': use address or thread")
endif()

if(HEARTH_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "HEARTH_FUZZ needs clang's libFuzzer: cmake --preset asan")
  endif()
  # Counts edges only; the objects serve unit tests and fuzzers alike.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
