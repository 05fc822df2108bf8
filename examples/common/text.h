/* Text for terminals: how wide it is, padding, and colours for terminals only. */
#ifndef EXAMPLES_TEXT_H
#define EXAMPLES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Columns that UTF-8 text takes: combining marks take none, East Asian letters and emoji two. A
 * byte that is not UTF-8 counts as one. */
size_t ex_width(const char *s, size_t n);

/* The next character of s: its length in bytes, at least 1; *code is -1 where it is not UTF-8. */
size_t ex_next(const char *s, size_t n, long *code);

/* The text, and blanks up to `width`: to its right, or to its left. Longer text is not cut. */
void ex_put_left(FILE *f, const char *s, size_t n, size_t width);
void ex_put_right(FILE *f, const char *s, size_t n, size_t width);

/* Styles; "" unless ex_style_init() found a terminal that wants them. */
typedef struct ex_style {
    const char *bold, *dim, *red, *green, *plain;
} ex_style;

/* For what is written to `f`: NO_COLOR and TERM=dumb are heeded. */
void ex_style_init(ex_style *style, FILE *f);

/* Does the environment say that text is UTF-8? */
bool ex_is_utf8(void);

#endif
