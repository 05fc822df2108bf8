# The libraries that users link, what they export, and how they are installed.

# Internal functions are hidden in every build; those of the public headers carry TT_API.
set_target_properties(twotier_objects PROPERTIES
                      C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
                      C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)

set(TT_HEADERS client config error export host observe query queue result twotier value)
list(TRANSFORM TT_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/include/twotier/)
list(TRANSFORM TT_HEADERS APPEND .h)

# What a program that links the static library has to link as well: the names of .pc files.
if(TT_CLIENT STREQUAL "mysql")
  set(TT_REQUIRES "libxxhash yaml-0.1 hiredis mysqlclient")
else()
  set(TT_REQUIRES "libxxhash yaml-0.1 hiredis libmariadb")
endif()
set(TT_DEPENDENCIES Threads::Threads PkgConfig::XXHASH PkgConfig::YAML PkgConfig::HIREDIS
                    PkgConfig::DBCLIENT)

add_library(twotier SHARED $<TARGET_OBJECTS:twotier_objects>)
add_library(twotier_static STATIC $<TARGET_OBJECTS:twotier_objects>)
foreach(library twotier twotier_static)
  add_library(twotier::${library} ALIAS ${library})
  set_target_properties(${library} PROPERTIES OUTPUT_NAME twotier LINKER_LANGUAGE C)
  target_sources(${library} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include
                                   FILES ${TT_HEADERS})
endforeach()

# Dependencies of the shared library are its own: its users neither link nor see them.
set_target_properties(twotier PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
                                         LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/twotier.map)
target_link_libraries(twotier PRIVATE ${TT_DEPENDENCIES})
target_link_options(twotier PRIVATE
                    LINKER:--version-script=${CMAKE_CURRENT_SOURCE_DIR}/twotier.map
                    $<$<C_COMPILER_ID:GNU>:LINKER:-z,defs>)

# Here the targets of this build, once installed those that the CMake package finds.
target_link_libraries(twotier_static INTERFACE "$<BUILD_INTERFACE:${TT_DEPENDENCIES}>"
                      $<INSTALL_INTERFACE:Threads::Threads>
                      $<INSTALL_INTERFACE:PkgConfig::TWOTIER_REQUIRES>)

option(TT_INSTALL "Install the libraries, headers and package files" ${PROJECT_IS_TOP_LEVEL})
if(NOT TT_INSTALL)
  return()
endif()

include(CMakePackageConfigHelpers)
set(TT_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/twotier)

# An export set of its own for each: a user of the shared library needs no other package.
install(TARGETS twotier EXPORT twotierTargets LIBRARY NAMELINK_COMPONENT Development
        FILE_SET HEADERS COMPONENT Development)
install(TARGETS twotier_static EXPORT twotierStaticTargets ARCHIVE COMPONENT Development
        FILE_SET HEADERS COMPONENT Development)
install(EXPORT twotierTargets NAMESPACE twotier:: DESTINATION ${TT_PACKAGE_DIR}
        COMPONENT Development)
install(EXPORT twotierStaticTargets NAMESPACE twotier:: DESTINATION ${TT_PACKAGE_DIR}
        COMPONENT Development)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/twotierConfig.cmake.in
                              ${CMAKE_CURRENT_BINARY_DIR}/twotierConfig.cmake
                              INSTALL_DESTINATION ${TT_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/twotierConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)

# The .pc file finds its prefix from where it lies, so that an installed tree can be moved.
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR TT_PC_ABSOLUTE)
if(TT_PC_ABSOLUTE)
  set(TT_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH up /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
  string(REGEX REPLACE "/$" "" TT_PC_PREFIX "\${pcfiledir}/${up}")
endif()
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE TT_PC_LIBDIR)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}"
           OUTPUT_VARIABLE TT_PC_INCLUDEDIR)
# Not Requires.private: that would ask users of the shared library for the development packages of
# libraries that they never see, and add the flags of those to theirs.
set(flags ${XXHASH_STATIC_LDFLAGS} ${YAML_STATIC_LDFLAGS} ${HIREDIS_STATIC_LDFLAGS}
          ${DBCLIENT_STATIC_LDFLAGS} -pthread)
list(JOIN flags " " TT_PC_LIBS_PRIVATE)
configure_file(${PROJECT_SOURCE_DIR}/cmake/twotier.pc.in ${CMAKE_CURRENT_BINARY_DIR}/twotier.pc
               @ONLY)

install(FILES ${CMAKE_CURRENT_BINARY_DIR}/twotierConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/twotierConfigVersion.cmake
        DESTINATION ${TT_PACKAGE_DIR} COMPONENT Development)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/twotier.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT Development)
