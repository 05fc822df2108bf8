# What is checked about the sources and the installed tree, besides what the library does.

# tt_check(name label timeout command...)
function(tt_check name label timeout_s)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout_s} LABELS ${label})
endfunction()

set(here ${CMAKE_CURRENT_SOURCE_DIR})
tt_check(layering layering 60 ${here}/layering/run ${PROJECT_SOURCE_DIR})
tt_check(layering-can-fail layering 60 ${here}/layering/run --self-test ${PROJECT_SOURCE_DIR})

# Headers: by GCC, and by clang where it is.
tt_check(headers-gcc headers 60 ${here}/headers/run ${PROJECT_SOURCE_DIR}/include gcc g++)
find_program(TT_CLANG clang)
find_program(TT_CLANGXX clang++)
if(TT_CLANG AND TT_CLANGXX)
  tt_check(headers-clang headers 60 ${here}/headers/run ${PROJECT_SOURCE_DIR}/include
           ${TT_CLANG} ${TT_CLANGXX})
else()
  message(STATUS "No clang here: the public headers are checked by GCC alone")
endif()


tt_check(install install 300 ${here}/install/run ${PROJECT_SOURCE_DIR} ${TT_CLIENT})
