# Writes OUTPUT, the .cc that says which commit the tree is at; touched only when that changes.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --exclude=* --abbrev=12
  OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed OR commit STREQUAL "")
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "wire/build.h"

namespace holdall::wire {

const char* const kCommit = "@commit@";

}  // namespace holdall::wire
]])
