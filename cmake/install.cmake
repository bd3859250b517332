# cmake --install: the programs, the shared library with its headers, and the package that
# find_package(clipnext) reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS clipnext RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET clipnext-torch)
  # Where it finds libtorch stands in it from linking on (torch.cmake).
  install(TARGETS clipnext-torch RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS clipnext_shared EXPORT clipnext LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/clipnext DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/clipnext)
install(EXPORT clipnext NAMESPACE clipnext:: FILE clipnextConfig.cmake DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/clipnextConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/clipnextConfigVersion.cmake DESTINATION ${package})
