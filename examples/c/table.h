/* A CSV file with a header (RFC 4180), or the words name=value, as cells of text. */

#ifndef EDGE_INFER_TABLE_H
#define EDGE_INFER_TABLE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t columns, rows;
    char **names; /* [columns] */
    char **cells; /* [rows * columns]; "" where there is nothing */
} Table;

/* Reads text in place: the cells point into it. On failure, false and what is wrong, with the line, in `problem`. */
bool table_from_csv(Table *table, char *text, const char **problem, size_t *line);

/* One row. False where a word has no "=". */
bool table_from_words(Table *table, char **words, size_t count);

void table_free(Table *table);

#endif
