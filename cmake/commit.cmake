# Writes OUTPUT, the .cc that says which commit the tree is at, and of which day that is; touched only when that changes.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --exclude=* --abbrev=12
  OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed OR commit STREQUAL "")
  set(commit unknown)
endif()
execute_process(COMMAND git -C ${SOURCE} log -1 --format=%cs
  OUTPUT_VARIABLE date ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "wire/build.h"

namespace holdall::wire {

const char* const kCommit = "@commit@";
const char* const kCommitDate = "@date@";

}  // namespace holdall::wire
]])
