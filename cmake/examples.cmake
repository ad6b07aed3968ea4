# The examples that stand on the service kit: built as a user would, but on the kit of this tree.
add_subdirectory(${CMAKE_SOURCE_DIR}/examples/boredbot ${CMAKE_BINARY_DIR}/examples/boredbot.build)
set_target_properties(boredbot PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
if(TARGET test_boredbot)
  set_target_properties(test_boredbot PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  add_test(NAME unit.boredbot COMMAND test_boredbot)
endif()
