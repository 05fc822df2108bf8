/* TeachTrack's data, from a seed. A row is a function of seed, table and id alone: the same
 * everywhere, in any order, without the rows before it. Needs nothing but <twotier/value.h>. */
#ifndef TEACHTRACK_GENERATOR_H
#define TEACHTRACK_GENERATOR_H

#include <stdbool.h>
#include <twotier/value.h>

enum teach_table {
    TEACH_SCHOOLS,
    TEACH_TEACHERS,
    TEACH_LEARNERS,
    TEACH_SUBJECTS,
    TEACH_LESSONS,
    TEACH_TABLES
};

enum { TEACH_COLUMNS_MAX = 7, TEACH_TEXTS_MAX = 3, TEACH_TEXT_MAX = 128 };

/* What there is to generate. Ids of every table run from 1 to its number of rows; those of one
 * school are spread over the whole range. */
typedef struct teach_data {
    uint64_t seed;
    uint32_t rows[TEACH_TABLES];
} teach_data;

/* 100 schools; 210,100 rows in all. */
extern const teach_data teach_small;

/* Name and columns of a table, as in schema.sql and in the order of teach_row.values. */
typedef struct teach_table_info {
    const char *name;
    const char *columns; /* "id, name, ..." */
    size_t n_columns;
} teach_table_info;

extern const teach_table_info teach_tables[TEACH_TABLES];

/* One row. The values point into `text`: a copy of the struct is not a copy of the row. */
typedef struct teach_row {
    tt_value values[TEACH_COLUMNS_MAX];
    char text[TEACH_TEXTS_MAX][TEACH_TEXT_MAX];
} teach_row;

void teach_row_make(const teach_data *data, enum teach_table table, uint32_t id, teach_row *out);

/* School of the teacher, learner or subject `id`. */
uint32_t teach_school_of(const teach_data *data, uint32_t id);

/* The generator itself (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014),
 * and a number below n from it. */
uint64_t teach_random(uint64_t *state);
uint32_t teach_below(uint64_t *state, uint32_t n);

#endif
