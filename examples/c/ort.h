/* The few declarations of onnxruntime's C API that predict.c needs: its Python wheel brings the library, and no header.

   OrtApi is a table of function pointers that only ever grows at its end, so that a position holds for every later
   release. The positions are those of include/onnxruntime/core/session/onnxruntime_c_api.h of microsoft/onnxruntime,
   counted in the header of API version 29 (onnxruntime 1.29); all of them are in version 5 (onnxruntime 1.5) already,
   which is what predict.c asks for. Where you have the header, include that instead. */

#ifndef EDGE_INFER_ORT_H
#define EDGE_INFER_ORT_H

#include <stddef.h>
#include <stdint.h>

enum { ORT_API_VERSION = 5, ORT_LOG_ERROR = 3, ORT_DEVICE_ALLOCATOR = 0, ORT_MEMORY_DEFAULT = 0 };

/* ONNXTensorElementDataType */
enum { ORT_FLOAT = 1, ORT_INT64 = 7, ORT_STRING = 8, ORT_BOOL = 9, ORT_DOUBLE = 11 };

typedef struct OrtStatus OrtStatus; /* NULL where all went well */
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtModelMetadata OrtModelMetadata;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;
typedef struct OrtValue OrtValue;
typedef struct OrtAllocator OrtAllocator;

typedef struct {
    void *to_1[2];
    const char *(*GetErrorMessage)(const OrtStatus *);                         /* 2 */
    OrtStatus *(*CreateEnv)(int level, const char *name, OrtEnv **);           /* 3 */
    void *to_6[3];
    OrtStatus *(*CreateSession)(const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **); /* 7 */
    void *to_8[1];
    OrtStatus *(*Run)(OrtSession *, const OrtRunOptions *, const char *const *names, const OrtValue *const *inputs,
                      size_t count, const char *const *output_names, size_t output_count, OrtValue **); /* 9 */
    OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **);                  /* 10 */
    void *to_23[13];
    OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *, int threads);      /* 24 */
    void *to_47[23];
    OrtStatus *(*CreateTensorAsOrtValue)(OrtAllocator *, const int64_t *shape, size_t rank, int type,
                                         OrtValue **);                         /* 48 */
    OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *data, size_t bytes, const int64_t *shape,
                                                 size_t rank, int type, OrtValue **); /* 49 */
    void *to_50[1];
    OrtStatus *(*GetTensorMutableData)(OrtValue *, void **);                   /* 51 */
    OrtStatus *(*FillStringTensor)(OrtValue *, const char *const *texts, size_t count); /* 52 */
    void *to_59[7];
    OrtStatus *(*GetTensorElementType)(const OrtTensorTypeAndShapeInfo *, int *); /* 60 */
    void *to_63[3];
    OrtStatus *(*GetTensorShapeElementCount)(const OrtTensorTypeAndShapeInfo *, size_t *); /* 64 */
    OrtStatus *(*GetTensorTypeAndShape)(const OrtValue *, OrtTensorTypeAndShapeInfo **); /* 65 */
    void *to_68[3];
    OrtStatus *(*CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo **); /* 69 */
    void *to_75[6];
    OrtStatus *(*AllocatorFree)(OrtAllocator *, void *);                       /* 76 */
    void *to_77[1];
    OrtStatus *(*GetAllocatorWithDefaultOptions)(OrtAllocator **);             /* 78 */
    void *to_91[13];
    void (*ReleaseEnv)(OrtEnv *);                                              /* 92 */
    void (*ReleaseStatus)(OrtStatus *);                                        /* 93 */
    void (*ReleaseMemoryInfo)(OrtMemoryInfo *);                                /* 94 */
    void (*ReleaseSession)(OrtSession *);                                      /* 95 */
    void (*ReleaseValue)(OrtValue *);                                          /* 96 */
    void *to_98[2];
    void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo *);        /* 99 */
    void (*ReleaseSessionOptions)(OrtSessionOptions *);                        /* 100 */
    void *to_110[10];
    OrtStatus *(*SessionGetModelMetadata)(const OrtSession *, OrtModelMetadata **); /* 111 */
    void *to_115[4];
    OrtStatus *(*ModelMetadataLookupCustomMetadataMap)(const OrtModelMetadata *, OrtAllocator *, const char *key,
                                                       char **);               /* 116; NULL where it is not there */
    void *to_117[1];
    void (*ReleaseModelMetadata)(OrtModelMetadata *);                          /* 118 */
    void *to_126[8];
    OrtStatus *(*GetStringTensorElementLength)(const OrtValue *, size_t index, size_t *); /* 127 */
    OrtStatus *(*GetStringTensorElement)(const OrtValue *, size_t length, size_t index, void *); /* 128 */
} OrtApi;

_Static_assert(offsetof(OrtApi, CreateTensorAsOrtValue) == 48 * sizeof(void *), "a position is wrong");
_Static_assert(offsetof(OrtApi, ReleaseSessionOptions) == 100 * sizeof(void *), "a position is wrong");
_Static_assert(offsetof(OrtApi, GetStringTensorElement) == 128 * sizeof(void *), "a position is wrong");

typedef struct {
    const OrtApi *(*GetApi)(uint32_t version); /* NULL where the library is older */
    const char *(*GetVersionString)(void);
} OrtApiBase;

#endif
