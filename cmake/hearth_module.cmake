# hearth_module(NAME http SOURCES a.cc … DEPS base async … LIBS PkgConfig::x … TESTS a_test.cc …)
#
# One folder, one target hearth_<name> (alias hearth::<name>), linked only with the DEPS it lists;
# its tests become one executable hearth_<name>_test.
function(hearth_module)
  cmake_parse_arguments(M "" "NAME" "SOURCES;DEPS;LIBS;TESTS;TEST_DEPS" ${ARGN})
  set(target hearth_${M_NAME})
  add_library(${target} STATIC ${M_SOURCES})
  add_library(hearth::${M_NAME} ALIAS ${target})
  target_link_libraries(${target} PUBLIC hearth_compile_options)
  foreach(dep ${M_DEPS})
    target_link_libraries(${target} PUBLIC hearth::${dep})
  endforeach()
  target_link_libraries(${target} PUBLIC ${M_LIBS})
  hearth_use_precompiled(${target})
  if(HEARTH_BUILD_TESTS AND M_TESTS)
    add_executable(${target}_test ${M_TESTS})
    target_link_libraries(${target}_test PRIVATE ${target} GTest::gmock GTest::gtest_main)
    foreach(dep ${M_TEST_DEPS})
      target_link_libraries(${target}_test PRIVATE hearth::${dep})
    endforeach()
    hearth_use_precompiled(${target}_test)
    # task_group.cc goes on after a bug, so that a daemon does; a test must not.
    gtest_discover_tests(${target}_test DISCOVERY_MODE PRE_TEST
      PROPERTIES LABELS unit TIMEOUT 60 FAIL_REGULAR_EXPRESSION "bug: an exception left")
  endif()
endfunction()
