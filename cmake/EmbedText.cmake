# Make a C array of a file: cmake -DINPUT=... -DOUTPUT=... -DNAME=... -DINCLUDE=... -P EmbedText.cmake
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)"
       "\\1\n    " bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"${INCLUDE}\"\n\nconst char ${NAME}[] = {\n    ${bytes}0};\nconst size_t ${NAME}_size = sizeof(${NAME}) - 1;\n")
