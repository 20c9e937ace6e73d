/* A small reader of JSON (RFC 8259): enough for a manifest, which says the schema. */

#ifndef EDGE_INFER_JSON_H
#define EDGE_INFER_JSON_H

#include <stdbool.h>

typedef enum { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT } JsonKind;

typedef struct Json {
    JsonKind kind;
    double number;
    char *text;         /* of JSON_TEXT; UTF-8, without NUL */
    char *name;         /* of a member of an object */
    struct Json *first; /* of a list or an object */
    struct Json *next;  /* in the list or the object that it stands in */
} Json;

/* The value of a document, or NULL where it is no JSON, nests deeper than 16, or has a NUL in a text. */
Json *json_parse(const char *document);

void json_free(Json *value);

/* A member of an object, or NULL. NULL has no members. */
const Json *json_get(const Json *object, const char *name);

/* A member that is text, else NULL. */
const char *json_text(const Json *object, const char *name);

/* A member that is true or false; `usual` where it is neither. */
bool json_flag(const Json *object, const char *name, bool usual);

#endif
