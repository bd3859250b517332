/* A picture's vector and names from C: c_example MODEL PICTURE prints dim, best label, statuses. */
#include <clipnext/clipnext.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  const char* labels[] = {"a cactus", "a taxi"};
  float probabilities[2];
  clipnext_model* model = NULL;
  float* vector = NULL;
  size_t dim = 0;
  if (argc != 3) return 2;
  if (clipnext_load(argv[1], NULL, 1, &model) != CLIPNEXT_OK) {
    fprintf(stderr, "%s\n", clipnext_last_error());
    return 1;
  }
  dim = (size_t)clipnext_dim(model);
  vector = malloc(dim * sizeof *vector);
  if (vector == NULL || clipnext_embed_image_file(model, argv[2], vector, dim) != CLIPNEXT_OK ||
      clipnext_classify_file(model, argv[2], labels, 2, NULL, probabilities, 2) != CLIPNEXT_OK) {
    fprintf(stderr, "%s\n", clipnext_last_error());
    return 1;
  }
  printf("%zu %s\n", dim, probabilities[0] > probabilities[1] ? labels[0] : labels[1]);
  printf("%d ", clipnext_embed_image_file(model, argv[2], vector, dim - 1));
  printf("%d %s\n", clipnext_embed_image_file(model, "none.png", vector, dim),
         clipnext_last_error());
  free(vector);
  clipnext_free(model);
  return 0;
}
