# What end-to-end tests, benchmarks and `make run` drive Holdall with: the load generator and the app that tests release.
# They are no part of the house, and are built without sanitizers: the daemon is what is examined.
if(NOT HOLDALL_SANITIZE AND NOT HOLDALL_FUZZ)
  file(GLOB load_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/load/*.cc)
  add_executable(load ${load_sources})
  target_compile_definitions(load PRIVATE FMT_HEADER_ONLY)
  target_link_libraries(load PRIVATE lib_sodium)
  add_executable(released_app ${CMAKE_SOURCE_DIR}/tests/app/app.cc)
  target_link_libraries(released_app PRIVATE lib_sodium)
  target_link_options(released_app PRIVATE -static -s)
  set_target_properties(load released_app PROPERTIES COMPILE_OPTIONS "-Wall;-Wextra;-O2" RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  set_target_properties(released_app PROPERTIES OUTPUT_NAME test_app)
endif()

# A service on the kit; tests/kit drives it.
add_executable(kit_service ${CMAKE_SOURCE_DIR}/tests/kit/service.cc)
target_link_libraries(kit_service PRIVATE HoldallKit::kit)
set_target_properties(kit_service PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Many compose files in one process, for bench/config.
if(NOT HOLDALL_SANITIZE AND NOT HOLDALL_FUZZ)
  add_executable(config_many ${CMAKE_SOURCE_DIR}/bench/config_many.cc)
  target_link_libraries(config_many PRIVATE holdall_app)
  set_target_properties(config_many PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()
