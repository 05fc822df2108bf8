/* examples/teachtrack/schema.sql, made into an array by the build. */
#ifndef DEMO_SCHEMA_H
#define DEMO_SCHEMA_H

#include <stddef.h>

extern const char demo_schema[];
extern const size_t demo_schema_size;

#endif
