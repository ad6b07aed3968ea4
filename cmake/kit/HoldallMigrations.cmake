# holdall_migrations(FILE FUNCTION DIRECTORY): writes FILE, a source that defines
#
#     std::span<const holdall::store::Migration> FUNCTION();
#
# with the numbered files DIRECTORY/NNNN_name.sql, in order. FUNCTION may stand in namespaces: notes::schema.
function(holdall_migrations output function directory)
  file(GLOB files CONFIGURE_DEPENDS ${directory}/*.sql)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(rows)
  set(expected 1)
  foreach(file ${files})
    get_filename_component(stem ${file} NAME_WE)
    if(NOT stem MATCHES "^0*([0-9]+)_(.*)$" OR NOT CMAKE_MATCH_1 EQUAL expected)
      message(FATAL_ERROR "${file}: expected migration ${expected}, as NNNN_name.sql")
    endif()
    set(name ${CMAKE_MATCH_2})
    file(READ ${file} sql)
    string(APPEND rows "    {${expected}, \"${name}\", R\"sql(${sql})sql\"},\n")
    math(EXPR expected "${expected} + 1")
  endforeach()
  string(REGEX MATCH "^(.*)::([^:]+)$" qualified ${function})
  set(name ${function})
  set(begin)
  set(end)
  if(qualified)
    set(begin "namespace ${CMAKE_MATCH_1} {\n")
    set(end "}\n")
    set(name ${CMAKE_MATCH_2})
  endif()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
#include <span>

#include "store/store.h"

namespace {
constexpr holdall::store::Migration kMigrations[] = {
@rows@};
}

@begin@std::span<const holdall::store::Migration> @name@();
std::span<const holdall::store::Migration> @name@() { return kMigrations; }
@end@]])
endfunction()
