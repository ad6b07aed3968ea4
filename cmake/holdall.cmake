# The executable `holdall`: src/main.cc and src/daemon*.cc over all rooms, and what `holdall version` says.
set(HOLDALL_SOURCE "" CACHE STRING "the address at which this source is published, for holdall version")

set(commit_file ${CMAKE_BINARY_DIR}/generated/commit.cc)
add_custom_target(holdall_commit
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUTPUT=${commit_file} -P ${CMAKE_SOURCE_DIR}/cmake/commit.cmake
  BYPRODUCTS ${commit_file})
target_sources(holdall_wire PRIVATE ${commit_file})
add_dependencies(holdall_wire holdall_commit)
set(build_kind "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${CMAKE_BUILD_TYPE}")
if(HOLDALL_SANITIZE)
  string(APPEND build_kind " ${HOLDALL_SANITIZE}")
endif()
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/wire/build.cc PROPERTIES COMPILE_DEFINITIONS
  "HOLDALL_VERSION=\"${PROJECT_VERSION}\";HOLDALL_SOURCE=\"${HOLDALL_SOURCE}\";HOLDALL_BUILD=\"${build_kind}\"")

file(GLOB holdall_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.cc)
add_executable(holdall ${holdall_sources})
target_link_libraries(holdall PRIVATE holdall_cli holdall_api holdall_serve holdall_schema)

# cmake --install build/PRESET --component holdall --prefix DIR: the binary, and what it says of itself as manual pages and
# completions.
include(GNUInstallDirs)
install(TARGETS holdall RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT holdall)
install(CODE "execute_process(COMMAND $<TARGET_FILE:holdall> man --into \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}
  COMMAND_ERROR_IS_FATAL ANY)" COMPONENT holdall)
