#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 16 };

static Json *value(const char **at, int depth);

static void pass_space(const char **at) { *at += strspn(*at, " \t\r\n"); }

static bool pass(const char **at, const char *word) {
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) return false;
    *at += length;
    return true;
}

/* Four hexadecimal digits, or -1. */
static long unit(const char **at) {
    char digits[5] = {0};
    for (int i = 0; i < 4; i++) {
        if (!strchr("0123456789abcdefABCDEF", (*at)[i]) || !(*at)[i]) return -1;
        digits[i] = (*at)[i];
    }
    *at += 4;
    return strtol(digits, NULL, 16);
}

/* The code point after "\u", which may need a second unit; -1 where it is none that a text of C can hold. */
static long code_point(const char **at) {
    long high = unit(at);
    if (high <= 0 || (high >= 0xDC00 && high <= 0xDFFF)) return -1;
    if (high < 0xD800 || high > 0xDBFF) return high;
    if (!pass(at, "\\u")) return -1;
    long low = unit(at);
    return low < 0xDC00 || low > 0xDFFF ? -1 : 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static char *put_utf8(char *to, long point) {
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const int lead[] = {0, 0xC0, 0xE0, 0xF0};
    *to++ = (char)(lead[more] | (point >> (6 * more)));
    while (more--) *to++ = (char)(0x80 | ((point >> (6 * more)) & 0x3F));
    return to;
}

/* One character of a text, escaped or not; NULL where it is not allowed. */
static char *put_character(char *to, const char **at) {
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if ((unsigned char)**at < 0x20) return NULL; /* the end of the document too */
    if (**at != '\\') {
        *to++ = *(*at)++;
        return to;
    }
    (*at)++;
    if (pass(at, "u")) {
        long point = code_point(at);
        return point < 0 ? NULL : put_utf8(to, point);
    }
    const char *found = **at ? strchr(escapes, **at) : NULL;
    if (!found) return NULL;
    (*at)++;
    *to++ = meant[found - escapes];
    return to;
}

/* A text behind its first quote; NULL where it is none. What is written is never longer than what was read. */
static char *text(const char **at) {
    const char *end = *at;
    while (*end && *end != '"') end += end[0] == '\\' && end[1] ? 2 : 1;
    char *start = malloc((size_t)(end - *at) + 1), *to = start;
    while (to && **at != '"') to = put_character(to, at);
    if (!to) {
        free(start);
        return NULL;
    }
    *to = '\0';
    (*at)++;
    return start;
}

/* The members of a list or an object behind its bracket. */
static bool members(Json *parent, const char **at, int depth) {
    bool named = parent->kind == JSON_OBJECT;
    const char *end = named ? "}" : "]";
    Json **last = &parent->first;
    pass_space(at);
    if (pass(at, end)) return true;
    do {
        char *name = NULL;
        pass_space(at);
        if (named && (!pass(at, "\"") || !(name = text(at)))) return false;
        pass_space(at);
        Json *member = named && !pass(at, ":") ? NULL : value(at, depth + 1);
        if (!member) {
            free(name);
            return false;
        }
        member->name = name;
        *last = member;
        last = &member->next;
        pass_space(at);
    } while (pass(at, ","));
    return pass(at, end);
}

static bool number(Json *made, const char **at) {
    size_t length = strspn(*at, "+-0123456789.eE");
    char *end;
    if (!length || **at == '+' || **at == '.') return false;
    made->number = strtod(*at, &end);
    if (end != *at + length) return false;
    *at = end;
    return true;
}

static bool read(Json *made, const char **at, int depth) {
    if (pass(at, "null")) made->kind = JSON_NULL;
    else if (pass(at, "false")) made->kind = JSON_FALSE;
    else if (pass(at, "true")) made->kind = JSON_TRUE;
    else if (pass(at, "\"")) {
        made->kind = JSON_TEXT;
        return (made->text = text(at)) != NULL;
    } else if (pass(at, "[") || pass(at, "{")) {
        made->kind = (*at)[-1] == '[' ? JSON_LIST : JSON_OBJECT;
        return members(made, at, depth);
    } else {
        made->kind = JSON_NUMBER;
        return number(made, at);
    }
    return true;
}

static Json *value(const char **at, int depth) {
    Json *made = depth > MOST_DEPTH ? NULL : calloc(1, sizeof *made);
    pass_space(at);
    if (made && !read(made, at, depth)) {
        json_free(made);
        return NULL;
    }
    return made;
}

Json *json_parse(const char *document) {
    Json *found = value(&document, 1);
    pass_space(&document);
    if (found && *document) {
        json_free(found);
        return NULL;
    }
    return found;
}

void json_free(Json *value) {
    while (value) {
        Json *next = value->next;
        json_free(value->first);
        free(value->text);
        free(value->name);
        free(value);
        value = next;
    }
}

const Json *json_get(const Json *object, const char *name) {
    const Json *member = object && object->kind == JSON_OBJECT ? object->first : NULL;
    while (member && strcmp(member->name, name) != 0) member = member->next;
    return member;
}

const char *json_text(const Json *object, const char *name) {
    const Json *member = json_get(object, name);
    return member && member->kind == JSON_TEXT ? member->text : NULL;
}

bool json_flag(const Json *object, const char *name, bool usual) {
    const Json *member = json_get(object, name);
    return member && member->kind == JSON_TRUE ? true : member && member->kind == JSON_FALSE ? false : usual;
}
