/* Answers of an edge-infer artifact in C, with onnxruntime's C API: the file's own manifest says how cells become
   tensors (artifacts/FORMAT.md, sections 3 and 11).

   predict MODEL ROWS.csv           a CSV file with a header, - for standard input; an empty cell is a missing value
   predict MODEL NAME=VALUE ...     one record

   It prints a CSV: a line for each row, with the answer of each method. The library is the one that the variable
   ORT_LIBRARY names, else the one that the Makefile found. Columns of dates and times are left to you. */

#define _POSIX_C_SOURCE 200809L

#include "json.h"
#include "ort.h"
#include "table.h"

#include <dlfcn.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ORT_LIBRARY
#define ORT_LIBRARY "libonnxruntime.so"
#endif

enum { NEWEST_FORMAT = 1 };

typedef struct {
    const char *name;
    int type; /* ORT_FLOAT and so on */
    size_t width, bytes;
    const char *missing; /* the text that stands for a missing value */
    void *data;          /* [rows, width] */
    OrtValue *value;
} Input;

typedef struct {
    OrtEnv *env;
    OrtSession *session;
    OrtAllocator *allocator;
    OrtMemoryInfo *memory;
    Json *manifest;
} Model;

static const OrtApi *ort;

/* Tells why, and ends the program. */
static _Noreturn void fail(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, rest);
    fputc('\n', stderr);
    va_end(rest);
    exit(1);
}

static void check(OrtStatus *status) {
    if (status) fail("onnxruntime: %s", ort->GetErrorMessage(status));
}

static void *memory_for(size_t count, size_t size) {
    void *found = calloc(count ? count : 1, size);
    if (!found) fail("there is not enough memory");
    return found;
}

/* ---- the model ------------------------------------------------------------------------- */

static void open_library(void) {
    const char *named = getenv("ORT_LIBRARY"), *path = named ? named : ORT_LIBRARY;
    setenv("ORT_DISABLE_TELEMETRY", "1", 0); /* onnxruntime 1.29 and later report their use otherwise */
    void *library = dlopen(path, RTLD_NOW);
    if (!library) fail("%s", dlerror());
    const OrtApiBase *(*base)(void);
    *(void **)&base = dlsym(library, "OrtGetApiBase"); /* as POSIX has it: ISO C knows no such cast */
    if (!base || !(ort = base()->GetApi(ORT_API_VERSION))) fail("%s: no C API of version %d", path, ORT_API_VERSION);
}

static Json *read_manifest(const Model *model) {
    OrtModelMetadata *metadata;
    char *text;
    check(ort->SessionGetModelMetadata(model->session, &metadata));
    check(ort->ModelMetadataLookupCustomMetadataMap(metadata, model->allocator, "edge_infer.manifest", &text));
    if (!text) fail("the model has no edge_infer.manifest: it is a plain ONNX file");
    Json *manifest = json_parse(text);
    check(ort->AllocatorFree(model->allocator, text));
    ort->ReleaseModelMetadata(metadata);
    const Json *format = json_get(manifest, "format");
    if (!format || format->kind != JSON_NUMBER || format->number < 1)
        fail("the manifest is no JSON, or tells no format");
    if (format->number > NEWEST_FORMAT)
        fail("format %g is newer than %d: update this reader", format->number, NEWEST_FORMAT);
    return manifest;
}

static Model open_model(const char *path) {
    Model model;
    OrtSessionOptions *options;
    check(ort->CreateEnv(ORT_LOG_ERROR, "predict", &model.env));
    check(ort->CreateSessionOptions(&options));
    check(ort->SetIntraOpNumThreads(options, 1));
    check(ort->CreateSession(model.env, path, options, &model.session));
    ort->ReleaseSessionOptions(options);
    check(ort->GetAllocatorWithDefaultOptions(&model.allocator));
    check(ort->CreateCpuMemoryInfo(ORT_DEVICE_ALLOCATOR, ORT_MEMORY_DEFAULT, &model.memory));
    model.manifest = read_manifest(&model);
    return model;
}

static void close_model(Model *model) {
    json_free(model->manifest);
    ort->ReleaseMemoryInfo(model->memory);
    ort->ReleaseSession(model->session);
    ort->ReleaseEnv(model->env);
}

/* A member that the format promises. */
static const Json *promised(const Json *object, const char *name, JsonKind kind) {
    const Json *found = json_get(object, name);
    if (!found || found->kind != kind) fail("the manifest has no '%s', or one of another type", name);
    return found;
}

static const char *promised_text(const Json *object, const char *name) {
    return promised(object, name, JSON_TEXT)->text;
}

static size_t length(const Json *list) {
    size_t count = 0;
    for (const Json *item = list->first; item; item = item->next) count++;
    return count;
}

static size_t promised_count(const Json *object, const char *name) {
    double found = promised(object, name, JSON_NUMBER)->number;
    if (!(found >= 0 && found <= 1e6)) fail("the manifest's '%s' is out of range", name);
    return (size_t)found;
}

/* ---- cells → elements -------------------------------------------------------------------- */

/* Where a cell stands, and the rules for it. */
typedef struct {
    size_t row;
    const char *column;
    const Json *rules; /* of the manifest's columns */
} Place;

static _Noreturn void refuse(Place place, const char *expected, const char *cell) {
    fail("row %zu, column \"%s\": expected %s, got \"%s\"", place.row, place.column, expected, cell);
}

/* Whether the original takes a missing value here; ends the program where it does not. */
static bool is_missing(Place place, const char *cell) {
    if (*cell) return false;
    if (!json_flag(place.rules, "missing", false))
        refuse(place, "a value (the original takes no missing one here)", cell);
    return true;
}

static bool is_category(const Json *category, const char *cell, double number) {
    if (category->kind == JSON_TEXT) return strcmp(category->text, cell) == 0;
    return number == (category->kind == JSON_NUMBER ? category->number : category->kind == JSON_TRUE);
}

static void check_known(Place place, const char *cell, double number) {
    const Json *list = json_get(place.rules, "categories");
    if (!list || list->kind != JSON_LIST || json_flag(place.rules, "unknown", true)) return;
    for (const Json *known = list->first; known; known = known->next) {
        if (is_category(known, cell, number)) return;
    }
    refuse(place, "one of the manifest's categories", cell);
}

static double number_of(Place place, const char *cell) {
    static const char *const words[] = {"false", "False", "FALSE", "true", "True", "TRUE"};
    if (strcmp(promised_text(place.rules, "kind"), "boolean") == 0) {
        for (int i = 0; i < 6; i++) {
            if (strcmp(cell, words[i]) == 0) return i > 2;
        }
    }
    char *end;
    double number = strtod(cell, &end); /* the program sets no locale: a point is a point */
    if (end == cell || *end || strpbrk(cell, "xX \t\r\n")) refuse(place, "a number", cell);
    return number;
}

static double number_cell(Place place, const char *cell, int type) {
    if (is_missing(place, cell)) return NAN;
    double number = number_of(place, cell);
    if (isnan(number) && !json_flag(place.rules, "missing", false)) refuse(place, "a number that is not missing", cell);
    bool whole = strcmp(promised_text(place.rules, "kind"), "integer") == 0;
    double most = type == ORT_FLOAT ? (whole ? 0x1p24 : FLT_MAX) : whole ? 0x1p53 : DBL_MAX;
    if (isinf(number) && !json_flag(place.rules, "infinite", false)) refuse(place, "a finite number", cell);
    if (isfinite(number) && fabs(number) > most) refuse(place, "a number that the tensor's type holds", cell);
    if (!isnan(number)) check_known(place, cell, number);
    return number;
}

static int64_t whole_cell(Place place, const char *cell) {
    char *end;
    is_missing(place, cell);
    errno = 0;
    int64_t whole = strtoll(cell, &end, 10);
    if (errno || *end || end == cell) {
        double number = number_of(place, cell);
        if (!(fabs(number) <= 0x1p53) || number != trunc(number)) refuse(place, "a whole number of 64 bits", cell);
        whole = (int64_t)number;
    }
    check_known(place, cell, (double)whole);
    return whole;
}

static const char *text_cell(Place place, const char *cell, const Input *input) {
    const Json *categories = json_get(place.rules, "categories");
    bool free_text = !categories || categories->kind != JSON_LIST; /* in which nothing is missing, nor an empty text */
    if (!free_text && is_missing(place, cell)) return input->missing;
    if (input->missing && strcmp(cell, input->missing) == 0) refuse(place, "a text that does not mean missing", cell);
    check_known(place, cell, NAN);
    return cell;
}

static void put(Place place, const char *cell, const Input *input, size_t element) {
    bool used = json_flag(place.rules, "used", true);
    if (input->type == ORT_STRING) ((const char **)input->data)[element] = used ? text_cell(place, cell, input) : "";
    else if (!used) return; /* memory_for gave zeros */
    else if (input->type == ORT_INT64) ((int64_t *)input->data)[element] = whole_cell(place, cell);
    else if (input->type == ORT_FLOAT) ((float *)input->data)[element] = (float)number_cell(place, cell, ORT_FLOAT);
    else ((double *)input->data)[element] = number_cell(place, cell, ORT_DOUBLE);
}

/* ---- inputs ------------------------------------------------------------------------------ */

static Input input_of(const Json *tensor, size_t rows) {
    static const struct {
        const char *dtype;
        int type;
        size_t bytes;
    } types[] = {{"float32", ORT_FLOAT, sizeof(float)},
                 {"float64", ORT_DOUBLE, sizeof(double)},
                 {"int64", ORT_INT64, sizeof(int64_t)},
                 {"string", ORT_STRING, sizeof(char *)}};
    const char *dtype = promised_text(tensor, "dtype");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].dtype, dtype) != 0) continue;
        Input input = {.name = promised_text(tensor, "name"), .type = types[i].type, .bytes = types[i].bytes};
        input.width = promised_count(tensor, "width");
        input.missing = json_text(tensor, "missing");
        input.data = memory_for(rows * input.width, input.bytes);
        return input;
    }
    fail("the manifest has a tensor of the unknown dtype %s", dtype);
}

/* The place of a column in the table; the number of columns where it is not there. */
static size_t found_in(const Table *table, const char *name) {
    size_t i = 0;
    while (i < table->columns && strcmp(table->names[i], name) != 0) i++;
    return i;
}

static void fill_column(const Json *column, const Table *table, Input *inputs, size_t count) {
    const char *name = promised_text(column, "name"), *tensor = promised_text(column, "tensor");
    size_t source = found_in(table, name), index = promised_count(column, "index"), i = 0;
    while (i < count && strcmp(inputs[i].name, tensor) != 0) i++;
    if (i == count || index >= inputs[i].width) fail("the manifest gives \"%s\" no place in a tensor", name);
    if (strcmp(promised_text(column, "kind"), "datetime") == 0) fail("\"%s\" is a column of times: left to you", name);
    if (source == table->columns && json_flag(column, "used", true)) fail("the input has no column \"%s\"", name);
    for (size_t row = 0; row < table->rows; row++) {
        const char *cell = source < table->columns ? table->cells[row * table->columns + source] : "";
        put((Place){row, name, column}, cell, &inputs[i], row * inputs[i].width + index);
    }
}

static void make_value(const Model *model, Input *input, size_t rows) {
    const int64_t shape[] = {(int64_t)rows, (int64_t)input->width};
    size_t elements = rows * input->width;
    if (input->type == ORT_STRING) { /* onnxruntime copies the texts */
        check(ort->CreateTensorAsOrtValue(model->allocator, shape, 2, ORT_STRING, &input->value));
        check(ort->FillStringTensor(input->value, input->data, elements));
    } else { /* … and leaves the numbers where they are */
        check(ort->CreateTensorWithDataAsOrtValue(model->memory, input->data, elements * input->bytes, shape, 2,
                                                  input->type, &input->value));
    }
}

/* The graph's inputs, each [rows, width]. */
static Input *pack(const Model *model, const Table *table, size_t *count) {
    const Json *described = promised(model->manifest, "inputs", JSON_OBJECT);
    const Json *tensors = promised(described, "tensors", JSON_LIST);
    *count = length(tensors);
    Input *inputs = memory_for(*count, sizeof *inputs), *next = inputs;
    for (const Json *tensor = tensors->first; tensor; tensor = tensor->next) *next++ = input_of(tensor, table->rows);
    for (const Json *column = promised(described, "columns", JSON_LIST)->first; column; column = column->next)
        fill_column(column, table, inputs, *count);
    for (size_t i = 0; i < *count; i++) make_value(model, &inputs[i], table->rows);
    return inputs;
}

/* ---- answers ----------------------------------------------------------------------------- */

typedef struct {
    const char *method;
    const char *tensor;
    OrtValue *value;
    int type;
    size_t width; /* elements of a row */
} Answer;

/* The tensors of all methods, in the order of the manifest. */
static Answer *answers_of(const Model *model, size_t *count) {
    const Json *outputs = promised(model->manifest, "outputs", JSON_LIST), *output, *tensor;
    *count = 0;
    for (output = outputs->first; output; output = output->next)
        *count += length(promised(output, "tensors", JSON_LIST));
    Answer *answers = memory_for(*count, sizeof *answers), *next = answers;
    for (output = outputs->first; output; output = output->next) {
        for (tensor = json_get(output, "tensors")->first; tensor; tensor = tensor->next, next++) {
            if (tensor->kind != JSON_TEXT) fail("the manifest has an output without a name");
            next->method = promised_text(output, "method");
            next->tensor = tensor->text;
        }
    }
    return answers;
}

static void describe(Answer *answer, size_t rows) {
    OrtTensorTypeAndShapeInfo *info;
    size_t elements;
    check(ort->GetTensorTypeAndShape(answer->value, &info));
    check(ort->GetTensorElementType(info, &answer->type));
    check(ort->GetTensorShapeElementCount(info, &elements));
    ort->ReleaseTensorTypeAndShapeInfo(info);
    answer->width = elements / rows;
}

static void run(const Model *model, const Input *inputs, size_t count, Answer *answers, size_t asked, size_t rows) {
    const char **names = memory_for(count + asked, sizeof *names);
    OrtValue **values = memory_for(count + asked, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        names[i] = inputs[i].name;
        values[i] = inputs[i].value;
    }
    for (size_t i = 0; i < asked; i++) names[count + i] = answers[i].tensor;
    check(ort->Run(model->session, NULL, names, (const OrtValue *const *)values, count, names + count, asked,
                   values + count));
    for (size_t i = 0; i < asked; i++) {
        answers[i].value = values[count + i];
        describe(&answers[i], rows);
    }
    free(names);
    free(values);
}

/* A text as a cell of a CSV. */
static void print_text(const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_string(const OrtValue *value, size_t element) {
    size_t bytes;
    check(ort->GetStringTensorElementLength(value, element, &bytes));
    char *text = memory_for(bytes + 1, 1);
    check(ort->GetStringTensorElement(value, bytes, element, text));
    print_text(text);
    free(text);
}

static void print_element(const Answer *answer, size_t element) {
    void *data = NULL;
    if (answer->type == ORT_STRING) {
        print_string(answer->value, element);
        return;
    }
    check(ort->GetTensorMutableData(answer->value, &data));
    if (answer->type == ORT_FLOAT) printf("%.9g", (double)((float *)data)[element]);
    else if (answer->type == ORT_DOUBLE) printf("%.17g", ((double *)data)[element]);
    else if (answer->type == ORT_INT64) printf("%" PRId64, ((int64_t *)data)[element]);
    else if (answer->type == ORT_BOOL) fputs(((bool *)data)[element] ? "true" : "false", stdout);
    else fail("%s: this reader knows no elements of the type %d", answer->method, answer->type);
}

static void print_label(const Json *label) {
    if (label->kind == JSON_TEXT) print_text(label->text);
    else if (label->kind == JSON_NUMBER) printf("%.17g", label->number);
    else fputs(label->kind == JSON_TRUE ? "true" : "false", stdout);
}

/* The class labels, where there is one list of them: what the columns of predict_proba are called. */
static const Json *labels_of(const Model *model) {
    for (const Json *output = json_get(model->manifest, "outputs")->first; output; output = output->next) {
        const Json *classes = json_get(output, "classes");
        if (classes && classes->kind == JSON_LIST && length(classes) == 1) return classes->first;
    }
    return NULL;
}

/* "predict", "predict_proba:Adelie", or "decision_function:0" where there is no label for it. */
static void print_header(const Answer *answer, const Json *labels) {
    const Json *label = labels && length(labels) == answer->width ? labels->first : NULL;
    for (size_t i = 0; i < answer->width; i++) {
        if (i) putchar(',');
        fputs(answer->method, stdout);
        if (answer->width > 1) putchar(':');
        if (answer->width > 1 && label) print_label(label);
        else if (answer->width > 1) printf("%zu", i);
        if (label) label = label->next;
    }
}

static void print_answers(const Model *model, const Answer *answers, size_t count, size_t rows) {
    for (size_t i = 0; i < count; i++) {
        if (i) putchar(',');
        print_header(&answers[i], labels_of(model));
    }
    putchar('\n');
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < answers[i].width; j++) {
                if (i + j) putchar(',');
                print_element(&answers[i], row * answers[i].width + j);
            }
        }
        putchar('\n');
    }
}

/* ---- the program ------------------------------------------------------------------------- */

/* A whole file, with a NUL behind it; a NUL in it ends the program, since C would end a text there. */
static char *read_file(const char *path) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    size_t room = 1 << 16, used = 0, got;
    char *text = memory_for(room, 1);
    if (!file) fail("%s: %s", path, strerror(errno));
    while ((got = fread(text + used, 1, room - used - 1, file)) > 0) {
        used += got;
        if (used + 1 < room) continue;
        char *larger = realloc(text, room *= 2);
        if (!larger) fail("there is not enough memory");
        text = larger;
    }
    if (ferror(file)) fail("%s: %s", path, strerror(errno));
    if (file != stdin) fclose(file);
    text[used] = '\0';
    if (strlen(text) != used) fail("%s: there is a NUL in it; expected a CSV in UTF-8", path);
    return text;
}

static void answer_table(const Model *model, const Table *table) {
    size_t count, asked;
    Input *inputs = pack(model, table, &count);
    Answer *answers = answers_of(model, &asked);
    run(model, inputs, count, answers, asked, table->rows);
    print_answers(model, answers, asked, table->rows);
    for (size_t i = 0; i < asked; i++) ort->ReleaseValue(answers[i].value);
    for (size_t i = 0; i < count; i++) {
        ort->ReleaseValue(inputs[i].value);
        free(inputs[i].data);
    }
    free(answers);
    free(inputs);
}

int main(int count, char **words) {
    Table table;
    char *text = NULL;
    if (count < 3) fail("usage: predict MODEL ROWS.csv, or predict MODEL NAME=VALUE ...");
    if (count == 3 && !strchr(words[2], '=')) {
        const char *problem;
        size_t line;
        text = read_file(words[2]);
        if (!table_from_csv(&table, text, &problem, &line)) fail("%s, line %zu: %s", words[2], line, problem);
    } else if (!table_from_words(&table, words + 2, (size_t)count - 2)) {
        fail("expected words such as body_mass_g=4400");
    }
    if (!table.rows) fail("%s: expected at least one row below the header", words[2]);
    open_library();
    Model model = open_model(words[1]);
    answer_table(&model, &table);
    close_model(&model);
    table_free(&table);
    free(text);
    return fflush(stdout) == 0 ? 0 : 1;
}
