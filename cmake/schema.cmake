# Holdall's own tables, made of the numbered .sql files before the rooms are declared.
holdall_migrations(${CMAKE_BINARY_DIR}/generated/schema.cc holdall::schema ${CMAKE_SOURCE_DIR}/src/schema)
set(schema_SOURCES ${CMAKE_BINARY_DIR}/generated/schema.cc)
