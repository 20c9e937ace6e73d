#include "table.h"

#include <stdlib.h>
#include <string.h>

/* Appends a cell to an array whose room is always the next power of two. */
static bool append(char ***cells, size_t *count, char *cell) {
    if ((*count & (*count - 1)) == 0) {
        char **larger = realloc(*cells, (*count ? 2 * *count : 1) * sizeof *larger);
        if (!larger) return false;
        *cells = larger;
    }
    (*cells)[(*count)++] = cell;
    return true;
}

/* Reads the quoted cell behind a quote and moves `at` behind it; false where it does not end. */
static bool unquote(char **at, size_t *line) {
    char *to = *at, *from = *at;
    while (*from && (*from != '"' || from[1] == '"')) {
        if (*from == '\n') ++*line;
        from += *from == '"';
        *to++ = *from++;
    }
    if (!*from) return false;
    *to = '\0';
    *at = from + 1;
    return true;
}

/* The cell that begins at `at`, which then stands behind its end: `end` tells which character that was. */
static char *cell(char **at, char *end, size_t *line) {
    char *start = *at;
    if (*start == '"') {
        start = ++*at;
        if (!unquote(at, line)) return NULL;
    } else {
        *at += strcspn(*at, ",\r\n\"");
    }
    if (**at == '\r' && (*at)[1] == '\n') *(*at)++ = '\0';
    *end = **at;
    if (*end && *end != ',' && *end != '\n') return NULL;
    **at = '\0';
    *at += *end != '\0';
    return start;
}

/* The next line of cells. */
static const char *row(char **at, char ***cells, size_t *count, size_t *line) {
    char end;
    do {
        char *found = cell(at, &end, line);
        if (!found) return "not a CSV: a quote that is not in its place, or does not end";
        if (!append(cells, count, found)) return "there is not enough memory";
    } while (end == ',');
    ++*line;
    return NULL;
}

bool table_from_csv(Table *table, char *text, const char **problem, size_t *line) {
    size_t count = 0, next = 1;
    memset(table, 0, sizeof *table);
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3; /* a byte order mark */
    *line = 1;
    *problem = row(&text, &table->names, &table->columns, &next);
    while (!*problem && *text) {
        *line = next;
        if (*text == '\n' || (*text == '\r' && text[1] == '\n')) { /* an empty line */
            text += *text == '\r' ? 2 : 1;
            next++;
            continue;
        }
        *problem = row(&text, &table->cells, &count, &next);
        if (!*problem && count != ++table->rows * table->columns)
            *problem = "another number of cells than the header has";
    }
    return !*problem;
}

bool table_from_words(Table *table, char **words, size_t count) {
    size_t cells = 0;
    memset(table, 0, sizeof *table);
    table->rows = 1;
    for (size_t i = 0; i < count; i++) {
        char *equals = strchr(words[i], '=');
        if (!equals) return false;
        *equals = '\0';
        if (!append(&table->names, &table->columns, words[i])) return false;
        if (!append(&table->cells, &cells, equals + 1)) return false;
    }
    return true;
}

void table_free(Table *table) {
    free(table->names);
    free(table->cells);
}
