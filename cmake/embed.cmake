# hearth_embed(TARGET t NAMESPACE hearth::config_files ROOT dir FILES a b …)
#
# Puts files into the binary, so that one file is the whole product. The generated source defines
# the table that platform/base/embedded_files.h declares.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(hearth_embed)
  cmake_parse_arguments(E "" "TARGET" "FILES" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${E_TARGET}_embedded.cc)
  set(inputs)
  foreach(file ${E_FILES})
    list(APPEND inputs ${CMAKE_SOURCE_DIR}/${file})
  endforeach()
  add_custom_command(OUTPUT ${out}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/cmake/embed.py
      ${CMAKE_SOURCE_DIR} ${out} ${E_FILES}
    DEPENDS ${inputs} ${CMAKE_SOURCE_DIR}/cmake/embed.py VERBATIM)
  target_sources(${E_TARGET} PRIVATE ${out})
endfunction()
