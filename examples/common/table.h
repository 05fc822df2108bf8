/* A table: cells are added row by row, and printed when all widths are known. */
#ifndef EXAMPLES_TABLE_H
#define EXAMPLES_TABLE_H

#include "common/text.h"

typedef enum ex_cell_kind { EX_LEFT, EX_RIGHT, EX_NULL } ex_cell_kind;

typedef struct ex_cell {
    char *text;
    size_t n;
    ex_cell_kind kind;
} ex_cell;

typedef struct ex_table {
    size_t columns, n, room;
    ex_cell *cells; /* the first row is the header */
    bool failed;    /* out of memory: nothing more was added */
} ex_table;

void ex_table_init(ex_table *t, size_t columns);
void ex_table_free(ex_table *t);
/* The next cell; the text is copied, control characters written as escapes. */
void ex_table_add(ex_table *t, ex_cell_kind kind, const char *text, size_t n);
void ex_table_add_text(ex_table *t, ex_cell_kind kind, const char *text);
/* Header, a line, rows. No blanks at the ends of lines. */
void ex_table_print(const ex_table *t, FILE *f, const ex_style *style);

#endif
