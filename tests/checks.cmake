# What is checked about the sources and the installed tree, besides what the library does.

# tt_check(name labels timeout command...)
function(tt_check name labels timeout_s)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout_s} LABELS "${labels}")
endfunction()

set(here ${CMAKE_CURRENT_SOURCE_DIR})
tt_check(layering layering 60 ${here}/layering/run ${PROJECT_SOURCE_DIR})
tt_check(layering-can-fail layering 60 ${here}/layering/run --self-test ${PROJECT_SOURCE_DIR})

# Headers: by both compilers; one that is absent fails the test.
tt_check(headers-gcc headers 60 ${here}/headers/run ${PROJECT_SOURCE_DIR}/include gcc g++)
tt_check(headers-clang headers 60 ${here}/headers/run ${PROJECT_SOURCE_DIR}/include clang clang++)

# README's code is that of the example, and links lead somewhere.
tt_check(docs-readme unit 60 ${here}/docs/run ${PROJECT_SOURCE_DIR})

# The tools, by using them.
tt_check(servers slow 300 ${here}/support/servers-test)
tt_check(dev "dev;slow" 1200 ${here}/dev/run)

tt_check(install install 300 ${here}/install/run ${PROJECT_SOURCE_DIR} ${TT_CLIENT})
set_tests_properties(install PROPERTIES LABELS "install;slow")

# The Python package, on the shared library of this build. Python itself knows nothing of sanitizers.
find_package(Python3 3.9 QUIET COMPONENTS Interpreter)
if(Python3_FOUND AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize=")
  set(python ${PROJECT_SOURCE_DIR}/bindings/python)
  add_executable(python_layout ${python}/tests/layout.c)
  target_link_libraries(python_layout PRIVATE twotier)
  tt_check(python python 120 ${Python3_EXECUTABLE} ${python}/tests/test_twotier.py)
  set_tests_properties(python PROPERTIES ENVIRONMENT
    "PYTHONPATH=${python};TWOTIER_LIBRARY=$<TARGET_FILE:twotier>;TWOTIER_LAYOUT=$<TARGET_FILE:python_layout>;TWOTIER_SERVERS=${here}/support/servers")
endif()
