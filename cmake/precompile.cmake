# Precompiled headers: a third of the time of a full build. One for libraries, one for executables,
# which are compiled as position independent executables and read GoogleTest.
option(HEARTH_PRECOMPILE "precompile the headers that nearly every file reads" ON)

function(hearth_add_precompiled name)
  add_library(${name} OBJECT ${CMAKE_SOURCE_DIR}/cmake/precompiled.cc)
  target_link_libraries(${name} PRIVATE hearth_compile_options fmt::fmt
    nlohmann_json::nlohmann_json Boost::headers)
  target_precompile_headers(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.h ${ARGN})
endfunction()

if(HEARTH_PRECOMPILE)
  hearth_add_precompiled(hearth_precompiled)
  if(HEARTH_BUILD_TESTS OR NOT DEFINED HEARTH_BUILD_TESTS)
    hearth_add_precompiled(hearth_precompiled_test <gtest/gtest.h> <gmock/gmock.h>)
    target_link_libraries(hearth_precompiled_test PRIVATE GTest::gmock)
    set_target_properties(hearth_precompiled_test PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(hearth_precompiled_test PRIVATE -fPIE)
  endif()
endif()

function(hearth_use_precompiled target)
  if(NOT HEARTH_PRECOMPILE)
    return()
  endif()
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    target_precompile_headers(${target} REUSE_FROM hearth_precompiled_test)
  else()
    target_precompile_headers(${target} REUSE_FROM hearth_precompiled)
  endif()
endfunction()
