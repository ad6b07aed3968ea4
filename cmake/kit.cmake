# The service kit as a library of its own: cmake --install build/PRESET --component kit --prefix DIR, and then, elsewhere,
# find_package(HoldallKit). In this tree HoldallKit::kit is the same.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(HoldallKit::kit ALIAS holdall_kit)

set(kit_headers ${CMAKE_INSTALL_INCLUDEDIR}/holdall-kit)
set(kit_package ${CMAKE_INSTALL_LIBDIR}/cmake/HoldallKit)
install(TARGETS holdall_base holdall_net holdall_store holdall_kit ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT kit)
file(GLOB base_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/base/*.h)
list(FILTER base_headers EXCLUDE REGEX "/(log_sink|failpoint)\\.h$")
install(FILES ${base_headers} DESTINATION ${kit_headers}/base COMPONENT kit)
foreach(header net/address net/client net/fake net/http net/server net/socket net/sse net/stream net/url store/store
        kit/kit kit/database kit/health kit/settings kit/web)
  get_filename_component(room ${header} DIRECTORY)
  install(FILES ${CMAKE_SOURCE_DIR}/src/${header}.h DESTINATION ${kit_headers}/${room} COMPONENT kit)
endforeach()
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/kit/HoldallKitConfig.cmake.in ${CMAKE_BINARY_DIR}/kit/HoldallKitConfig.cmake
  INSTALL_DESTINATION ${kit_package} PATH_VARS kit_headers CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/kit/HoldallKitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/kit/HoldallKitConfig.cmake ${CMAKE_BINARY_DIR}/kit/HoldallKitConfigVersion.cmake
              ${CMAKE_SOURCE_DIR}/cmake/kit/HoldallMigrations.cmake DESTINATION ${kit_package} COMPONENT kit)
