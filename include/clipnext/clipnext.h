/* clipnext from C: CLIP models on the CPU.
 *
 * Calls return CLIPNEXT_OK or another status, of which clipnext_last_error() has the text. The
 * caller owns every buffer and passes its size in floats; vectors are unit length. No C++ exception
 * passes. A model may be used from several threads at once (calls run one after another). */
#ifndef CLIPNEXT_CLIPNEXT_H
#define CLIPNEXT_CLIPNEXT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLIPNEXT_C_API __attribute__((visibility("default")))

typedef struct clipnext_model clipnext_model;

enum {
  CLIPNEXT_OK = 0,
  CLIPNEXT_FAILED = 1,       /* a file, a picture or a text is wrong */
  CLIPNEXT_BAD_ARGUMENT = 2, /* a null pointer, or a buffer of the wrong size */
};

/* What went wrong in the last call of this thread that did not return CLIPNEXT_OK; never null.
 * Valid until the next such call. */
CLIPNEXT_C_API const char* clipnext_last_error(void);

CLIPNEXT_C_API const char* clipnext_version(void);

/* Opens a model as clipnext::Clip::load does. pretrained may be null. threads: 0 for all. On
 * success *model is to be given to clipnext_free; otherwise it is null. */
CLIPNEXT_C_API int clipnext_load(const char* model_name, const char* pretrained, int threads,
                                 clipnext_model** model);
/* Null is allowed. No other call may be using the model. */
CLIPNEXT_C_API void clipnext_free(clipnext_model* model);

/* Length of a vector; 0 for null. */
CLIPNEXT_C_API int64_t clipnext_dim(const clipnext_model* model);
/* Factor on cosines before a softmax; 0 for null. */
CLIPNEXT_C_API float clipnext_logit_scale(const clipnext_model* model);

/* A picture file; the bytes of one; rows of RGB bytes [height, width, 3]. out [dim]. */
CLIPNEXT_C_API int clipnext_embed_image_file(const clipnext_model* model, const char* path,
                                             float* out, size_t out_size);
CLIPNEXT_C_API int clipnext_embed_image_bytes(const clipnext_model* model, const void* bytes,
                                              size_t size, float* out, size_t out_size);
CLIPNEXT_C_API int clipnext_embed_image_rgb(const clipnext_model* model, const uint8_t* pixels,
                                            int width, int height, float* out, size_t out_size);

/* count UTF-8 strings. out [count, dim]. */
CLIPNEXT_C_API int clipnext_embed_texts(const clipnext_model* model, const char* const* texts,
                                        size_t count, float* out, size_t out_size);

/* The probability of each label for a picture file, in the order of the labels. sentence: "{}" (or
 * null) or text around it. out [count]. */
CLIPNEXT_C_API int clipnext_classify_file(const clipnext_model* model, const char* path,
                                          const char* const* labels, size_t count,
                                          const char* sentence, float* out, size_t out_size);

#ifdef __cplusplus
}
#endif

#endif
