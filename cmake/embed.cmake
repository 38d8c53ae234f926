# mooring_embed(TARGET mooring_api NAME openapi_json FILE openapi.json): puts a file into the program as it is.
#
# Defines std::string_view mooring::embedded::<NAME>(), which whoever uses it declares. The file may be one that
# the build makes.
function(mooring_embed)
  cmake_parse_arguments(E "" "TARGET;NAME;FILE" "" ${ARGN})
  get_filename_component(EMBEDDED_FILE ${E_FILE} ABSOLUTE)
  set(EMBEDDED_NAME ${E_NAME})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded_${E_NAME}.cc)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/embedded.cc.in ${source} @ONLY)
  # The compiler does not tell that it read the file.
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${EMBEDDED_FILE})
  target_sources(${E_TARGET} PRIVATE ${source})
endfunction()
