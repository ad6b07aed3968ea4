# The shim is a program of its own, carried inside the engine's library: static and without exceptions, so that fifty of
# them take as little as they can, and the same in every build, sanitizers and fuzzers included.
set(engine_SOURCES ${CMAKE_SOURCE_DIR}/src/engine/shim/segments.cc)

function(embed_shim room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/shim/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  add_executable(holdall-shim ${sources})
  target_include_directories(holdall-shim PRIVATE ${CMAKE_SOURCE_DIR}/src)
  set_target_properties(holdall-shim PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/shim
    COMPILE_OPTIONS "-Wall;-Wextra;-Os;-g0;-fno-exceptions;-fno-rtti;-ffunction-sections"
    LINK_OPTIONS "-static;-s;-Wl,--gc-sections")
  if(HOLDALL_WERROR)
    target_compile_options(holdall-shim PRIVATE -Werror)
  endif()
  embed(${room} shim_binary ${CMAKE_BINARY_DIR}/shim/holdall-shim)
  add_dependencies(${room} holdall-shim)
endfunction()
