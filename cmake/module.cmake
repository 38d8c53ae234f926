# mooring_module: declares one module of src/ - its sources, its tests and the only modules it may include.
#
#   mooring_module(NAME ws
#     USES base crypto            # modules whose headers it may include; checked by tools/check_layers
#     SOURCES frame_decoder.cc
#     LIBS OpenSSL::Crypto        # outside libraries, private to the module
#     PUBLIC_LIBS fmt::fmt        # outside libraries that its public headers need
#     TESTS tests/frame_decoder_test.cc)
#
# Makes the static library mooring_<name> and, when there are tests, the program <name>_test, known to CTest.
function(mooring_module)
  cmake_parse_arguments(M "" "NAME" "USES;SOURCES;LIBS;PUBLIC_LIBS;TESTS" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mooring_module(${M_NAME}): unknown words: ${M_UNPARSED_ARGUMENTS}")
  endif()
  set(target mooring_${M_NAME})
  if(M_SOURCES)
    add_library(${target} STATIC ${M_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE mooring_warnings ${M_LIBS})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${M_PUBLIC_LIBS})
  foreach(used IN LISTS M_USES)
    target_link_libraries(${target} ${scope} mooring_${used})
  endforeach()
  if(M_TESTS AND MOORING_TESTS)
    add_executable(${M_NAME}_test ${M_TESTS})
    target_link_libraries(${M_NAME}_test PRIVATE ${target} mooring_warnings GTest::gtest_main GTest::gmock)
    mooring_test_program(${M_NAME}_test)
    add_test(NAME ${M_NAME} COMMAND ${M_NAME}_test)
    set_tests_properties(${M_NAME} PROPERTIES LABELS unit TIMEOUT 120)
  endif()
endfunction()

# What a test does itself need not be fast, and optimising it takes half of its compile time. (The simulation does much
# itself.)
function(mooring_test_program target)
  target_compile_options(${target} PRIVATE -O0 -U_FORTIFY_SOURCE)
endfunction()

# mooring_fuzzer(NAME ws_fuzz SOURCES x.cc USES ws CORPUS dir): a libFuzzer program, built only by the fuzz preset.
function(mooring_fuzzer)
  cmake_parse_arguments(F "" "NAME" "SOURCES;USES" ${ARGN})
  if(NOT MOORING_FUZZ)
    return()
  endif()
  add_executable(${F_NAME} ${F_SOURCES})
  target_link_options(${F_NAME} PRIVATE -fsanitize=fuzzer)
  foreach(used IN LISTS F_USES)
    target_link_libraries(${F_NAME} PRIVATE mooring_${used})
  endforeach()
  target_link_libraries(${F_NAME} PRIVATE mooring_warnings)
  set_target_properties(${F_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
