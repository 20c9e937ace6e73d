/* The least that a call of onnxruntime takes: its C API, with buffers made and bound before. Compiled by c_floor.py.

   c_floor LIBRARY MODEL FEEDS [i|o NAME TYPE COLUMNS] ...

   FEEDS holds the input tensors' bytes, one row each, one after the other; TYPE is a number of onnxruntime's
   ONNXTensorElementDataType. It prints a line with the answer of each way: all numbers of all outputs, by Run and by
   RunWithBinding. Then it reads lines "run COUNT" or "bind COUNT", and answers each with the seconds that so many
   calls took together, until its input ends.

   OrtApi is a table of function pointers that only ever grows at its end: a position holds for every later release.
   The positions below are those of microsoft/onnxruntime, include/onnxruntime/core/session/onnxruntime_c_api.h; its
   onnxruntime/core/session/onnxruntime_c_api.cc asserts some (ReleaseCustomOpDomain 101, SetGlobalSpinControl 149). */

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    DISABLE_CPU_MEM_ARENA = 19,
    SET_INTRA_OP_NUM_THREADS = 24,
    SET_INTER_OP_NUM_THREADS = 25,
    CREATE_RUN_OPTIONS = 39,
    CREATE_TENSOR_WITH_DATA = 49,
    CREATE_CPU_MEMORY_INFO = 69,
    ADD_SESSION_CONFIG_ENTRY = 130,
    RUN_WITH_BINDING = 133,
    CREATE_IO_BINDING = 134,
    BIND_INPUT = 136,
    BIND_OUTPUT = 137
};

enum { API_VERSION = 5, LOG_ERROR = 3, DEVICE_ALLOCATOR = 0, MEMORY_DEFAULT = 0, FLOAT = 1, INT64 = 7, DOUBLE = 11 };

enum { MOST_TENSORS = 16, MOST_BYTES = 1 << 16 };

/* Objects of onnxruntime are pointers to what only it knows; a status is NULL where all went well. */
typedef void *Object;
typedef Object Status;
typedef void *const *Api;
typedef struct {
    Api (*get_api)(uint32_t version);
    const char *(*version)(void);
} ApiBase;

typedef Status (*Run)(Object session, Object options, const char *const *inputs, const Object *values, size_t count,
                      const char *const *outputs, size_t output_count, Object *answers);
typedef Status (*RunWithBinding)(Object session, Object options, Object binding);

typedef struct {
    const char *name[MOST_TENSORS];
    Object value[MOST_TENSORS];
    char *data[MOST_TENSORS];
    int type[MOST_TENSORS];
    int64_t columns[MOST_TENSORS];
    size_t count;
} Tensors;

static Api api;
static Object session, run_options, binding, memory;
static Tensors inputs, outputs;

static void fail(const char *what) {
    fprintf(stderr, "c_floor: %s\n", what);
    exit(1);
}

static void check(Status status) {
    if (status) fail(((const char *(*)(Status))api[GET_ERROR_MESSAGE])(status));
}

static void open_session(const char *library, const char *model) {
    void *handle = dlopen(library, RTLD_NOW);
    if (!handle) fail(dlerror());
    const ApiBase *(*base)(void) = (const ApiBase *(*)(void))dlsym(handle, "OrtGetApiBase");
    if (!base || !(api = base()->get_api(API_VERSION))) fail("the library has no C API of that version");
    Object environment, options;
    check(((Status(*)(int, const char *, Object *))api[CREATE_ENV])(LOG_ERROR, "c_floor", &environment));
    check(((Status(*)(Object *))api[CREATE_SESSION_OPTIONS])(&options));
    check(((Status(*)(Object, int))api[SET_INTRA_OP_NUM_THREADS])(options, 1));
    check(((Status(*)(Object, int))api[SET_INTER_OP_NUM_THREADS])(options, 1));
    check(((Status(*)(Object))api[DISABLE_CPU_MEM_ARENA])(options));
    check(((Status(*)(Object, const char *, const char *))api[ADD_SESSION_CONFIG_ENTRY])(
        options, "session.intra_op.allow_spinning", "0"));
    check(((Status(*)(Object, const char *, Object, Object *))api[CREATE_SESSION])(environment, model, options,
                                                                                   &session));
    check(((Status(*)(Object *))api[CREATE_RUN_OPTIONS])(&run_options));
    check(((Status(*)(int, int, Object *))api[CREATE_CPU_MEMORY_INFO])(DEVICE_ALLOCATOR, MEMORY_DEFAULT, &memory));
    check(((Status(*)(Object, Object *))api[CREATE_IO_BINDING])(session, &binding));
}

static size_t size_of(int type) {
    return type == FLOAT ? sizeof(float) : sizeof(double); /* or int64_t */
}

/* A tensor [1, columns], or [1] without columns, over memory of our own; an input's comes from `feeds`. */
static void add(Tensors *tensors, char **words, FILE *feeds) {
    size_t i = tensors->count++;
    if (i == MOST_TENSORS) fail("too many tensors");
    int type = tensors->type[i] = atoi(words[2]);
    int64_t columns = atoll(words[3]), shape[2] = {1, columns};
    tensors->columns[i] = columns ? columns : 1;
    size_t bytes = size_of(type) * (size_t)tensors->columns[i];
    if ((type != FLOAT && type != INT64 && type != DOUBLE) || bytes > MOST_BYTES) fail("no such tensor");
    tensors->name[i] = words[1];
    tensors->data[i] = calloc(1, bytes);
    if (!tensors->data[i]) fail("no memory");
    if (feeds && fread(tensors->data[i], 1, bytes, feeds) != bytes) fail("the feeds are too short");
    check(((Status(*)(Object, void *, size_t, const int64_t *, size_t, int, Object *))api[CREATE_TENSOR_WITH_DATA])(
        memory, tensors->data[i], bytes, shape, columns ? 2 : 1, type, &tensors->value[i]));
    check(((Status(*)(Object, const char *, Object))api[feeds ? BIND_INPUT : BIND_OUTPUT])(binding, words[1],
                                                                                           tensors->value[i]));
}

static void read_tensors(int count, char **words, const char *path) {
    FILE *feeds = fopen(path, "rb");
    if (!feeds) fail("the feeds cannot be read");
    for (int i = 0; i + 3 < count; i += 4)
        add(words[i][0] == 'i' ? &inputs : &outputs, words + i, words[i][0] == 'i' ? feeds : NULL);
    fclose(feeds);
}

static void run(void) {
    check(((Run)api[RUN])(session, run_options, inputs.name, inputs.value, inputs.count, outputs.name, outputs.count,
                          outputs.value));
}

static void run_bound(void) { check(((RunWithBinding)api[RUN_WITH_BINDING])(session, run_options, binding)); }

/* Runs once, prints what came, and wipes it, so that the next way's answer is its own. */
static void print_answer(void (*call)(void)) {
    call();
    for (size_t i = 0; i < outputs.count; i++) {
        for (int64_t j = 0; j < outputs.columns[i]; j++) {
            if (outputs.type[i] == FLOAT) printf("%.9g ", ((float *)outputs.data[i])[j]);
            if (outputs.type[i] == DOUBLE) printf("%.17g ", ((double *)outputs.data[i])[j]);
            if (outputs.type[i] == INT64) printf("%lld ", (long long)((int64_t *)outputs.data[i])[j]);
        }
        memset(outputs.data[i], 0xff, size_of(outputs.type[i]) * (size_t)outputs.columns[i]);
    }
    printf("\n");
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(int count, char **words) {
    if (count < 4) fail("LIBRARY MODEL FEEDS [i|o NAME TYPE COLUMNS] ...");
    open_session(words[1], words[2]);
    read_tensors(count - 4, words + 4, words[3]);
    print_answer(run);
    print_answer(run_bound);
    fflush(stdout);
    char way[8];
    long calls;
    while (scanf("%7s %ld", way, &calls) == 2) {
        void (*call)(void) = strcmp(way, "bind") ? run : run_bound;
        double started = now();
        for (long i = 0; i < calls; i++) call();
        printf("%.9f\n", now() - started);
        fflush(stdout);
    }
    return 0;
}
