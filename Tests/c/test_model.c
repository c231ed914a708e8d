#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

static void defaults_are_those_of_the_header(void) {
  mixgrpo_model_config config;
  memset(&config, 0xff, sizeof config);
  INVALID("struct_size", mixgrpo_model_config_init(&config, sizeof config - 4));
  INVALID("out_config", mixgrpo_model_config_init(NULL, sizeof config));
  CHECK(config.in_channels == -1);
  DONE(mixgrpo_model_config_init(&config, sizeof config));
  CHECK(config.struct_size == sizeof config && config.in_channels == 48 && config.out_channels == 48);
  CHECK(config.num_layers == 2 && config.num_single_layers == 4);
  CHECK(config.attention_head_dim == 32 && config.num_attention_heads == 4);
  CHECK(config.joint_attention_dim == 64 && config.pooled_projection_dim == 64 && config.guidance_embeds == 0);
  CHECK(config.axes_dims_rope[0] == 4 && config.axes_dims_rope[1] == 14 && config.axes_dims_rope[2] == 14);
  CHECK(config.reserved == 0);
}

static void every_size_has_bounds(const fixture *f) {
  const struct {
    size_t offset;
    const char *name;
  } fields[] = {
    {offsetof(mixgrpo_model_config, in_channels), "in_channels"},
    {offsetof(mixgrpo_model_config, out_channels), "out_channels"},
    {offsetof(mixgrpo_model_config, num_layers), "num_layers"},
    {offsetof(mixgrpo_model_config, num_single_layers), "num_single_layers"},
    {offsetof(mixgrpo_model_config, attention_head_dim), "attention_head_dim"},
    {offsetof(mixgrpo_model_config, num_attention_heads), "num_attention_heads"},
    {offsetof(mixgrpo_model_config, joint_attention_dim), "joint_attention_dim"},
    {offsetof(mixgrpo_model_config, pooled_projection_dim), "pooled_projection_dim"},
    {offsetof(mixgrpo_model_config, guidance_embeds), "guidance_embeds"},
    {offsetof(mixgrpo_model_config, axes_dims_rope), "axes_dims_rope"},
    {offsetof(mixgrpo_model_config, reserved), "reserved"},
    {offsetof(mixgrpo_model_config, struct_size), "struct_size"},
  };
  const int32_t absurd[] = {-1, INT32_MIN, INT32_MAX};
  mixgrpo_model *model = NULL;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    for (int k = 0; k < 3; k++) {
      mixgrpo_model_config config = small_model_config();
      memcpy((char *)&config + fields[i].offset, &absurd[k], sizeof absurd[k]);
      INVALID(fields[i].name, mixgrpo_model_create(f->context, &config, 1, &model));
    }
  }
  mixgrpo_model_config config = small_model_config();
  config.in_channels = config.joint_attention_dim = 0;
  INVALID("in_channels", mixgrpo_model_create(f->context, &config, 1, &model));
  CHECK(strstr(mixgrpo_last_error(), "joint_attention_dim") != NULL); /* all at once */
  CHECK(model == NULL);
}

static void parameters_tile_the_flat_vector(const fixture *f) {
  mixgrpo_parameter_info info = {.struct_size = sizeof info};
  size_t tensors = 0, values = 0, index = 0, end = 0;
  DONE(mixgrpo_model_get_size(f->model, &tensors, &values));
  for (size_t i = 0; i < tensors; i++) {
    DONE(mixgrpo_model_get_parameter(f->model, i, &info));
    CHECK(info.offset == end && (info.rank == 1 || info.rank == 2));
    CHECK(info.count == (uint64_t)(info.shape[0] * info.shape[1]));
    end += info.count;
    DONE(mixgrpo_model_find_parameter(f->model, info.name, &index));
    CHECK(index == i);
  }
  CHECK(end == values);
  INVALID("index", mixgrpo_model_get_parameter(f->model, tensors, &info));
  INVALID("index", mixgrpo_model_get_parameter(f->model, SIZE_MAX, &info));
  INVALID("out_info", mixgrpo_model_get_parameter(f->model, 0, NULL));
  info.struct_size = 0;
  INVALID("struct_size", mixgrpo_model_get_parameter(f->model, 0, &info));
  INVALID("no.such.weight", mixgrpo_model_find_parameter(f->model, "no.such.weight", &index));
  INVALID("name", mixgrpo_model_find_parameter(f->model, NULL, &index));
  INVALID("name", mixgrpo_model_find_parameter(f->model, "\xff\xfe", &index));
  INVALID("out_index", mixgrpo_model_find_parameter(f->model, "proj_out.weight", NULL));
  DONE(mixgrpo_model_get_size(f->model, NULL, NULL));
}

static void weights_and_gradients_are_read_and_written_by_range(const fixture *f) {
  size_t values = 0;
  float in[3] = {1, -2, 3}, out[3] = {9, 9, 9};
  DONE(mixgrpo_model_get_size(f->model, NULL, &values));
  DONE(mixgrpo_model_set_weights(f->model, values - 3, in, 3));
  DONE(mixgrpo_model_get_weights(f->model, values - 3, out, 3));
  CHECK(memcmp(in, out, sizeof in) == 0);
  DONE(mixgrpo_model_set_gradients(f->model, 5, in, 3));
  DONE(mixgrpo_model_get_gradients(f->model, 6, out, 2));
  CHECK(out[0] == -2 && out[1] == 3);
  DONE(mixgrpo_model_zero_gradients(f->model));
  DONE(mixgrpo_model_get_gradients(f->model, 5, out, 3));
  CHECK(out[0] == 0 && out[1] == 0 && out[2] == 0);
  DONE(mixgrpo_model_get_weights(f->model, values, NULL, 0));
}

static void bad_ranges_change_nothing(const fixture *f) {
  size_t values = 0;
  float before[3], after[3], bad[3] = {1, NAN, 3};
  DONE(mixgrpo_model_get_size(f->model, NULL, &values));
  DONE(mixgrpo_model_get_weights(f->model, 0, before, 3));
  INVALID("values[1]", mixgrpo_model_set_weights(f->model, 0, bad, 3));
  bad[1] = -INFINITY;
  INVALID("values[1]", mixgrpo_model_set_gradients(f->model, 0, bad, 3));
  INVALID("range", mixgrpo_model_set_weights(f->model, values - 2, before, 3));
  INVALID("range", mixgrpo_model_set_weights(f->model, SIZE_MAX, before, 3));
  INVALID("range", mixgrpo_model_set_weights(f->model, 0, before, SIZE_MAX));
  INVALID("range", mixgrpo_model_get_weights(f->model, SIZE_MAX - 1, after, SIZE_MAX - 1));
  INVALID("range", mixgrpo_model_get_gradients(f->model, values + 1, after, 0));
  INVALID("out_values", mixgrpo_model_get_weights(f->model, 0, NULL, 3));
  INVALID("values", mixgrpo_model_set_weights(f->model, 0, NULL, 3));
  INVALID("aligned", mixgrpo_model_set_weights(f->model, 0, (const float *)((const char *)before + 1), 2));
  DONE(mixgrpo_model_get_weights(f->model, 0, after, 3));
  CHECK(memcmp(before, after, sizeof before) == 0);
}

static int equal_weights(const mixgrpo_model *a, const mixgrpo_model *b) {
  size_t count_a = 0, count_b = 1;
  DONE(mixgrpo_model_get_size(a, NULL, &count_a));
  DONE(mixgrpo_model_get_size(b, NULL, &count_b));
  if (count_a != count_b) return 0;
  float *x = malloc(count_a * sizeof *x), *y = malloc(count_a * sizeof *y);
  DONE(mixgrpo_model_get_weights(a, 0, x, count_a));
  DONE(mixgrpo_model_get_weights(b, 0, y, count_a));
  const int equal = memcmp(x, y, count_a * sizeof *x) == 0;
  free(x);
  free(y);
  return equal;
}

static void a_seed_is_a_model_and_a_copy_is_its_own(const fixture *f) {
  const mixgrpo_model_config config = small_model_config();
  mixgrpo_model *first, *same, *other, *copy;
  DONE(mixgrpo_model_create(f->context, &config, 3, &first));
  DONE(mixgrpo_model_create(f->context, &config, 3, &same));
  DONE(mixgrpo_model_create(f->context, &config, 4, &other));
  DONE(mixgrpo_model_copy(first, &copy));
  CHECK(equal_weights(first, same) && !equal_weights(first, other) && equal_weights(first, copy));
  DONE(mixgrpo_model_set_weights(first, 0, (float[]){42}, 1));
  CHECK(!equal_weights(first, copy));
  INVALID("out_copy", mixgrpo_model_copy(first, NULL));
  mixgrpo_model_destroy(first);
  mixgrpo_model_destroy(same);
  mixgrpo_model_destroy(other);
  mixgrpo_model_destroy(copy);
}

static void a_folder_keeps_a_model(const fixture *f) {
  mixgrpo_model_config config = {.struct_size = sizeof config};
  mixgrpo_model *loaded = NULL, *rounded = NULL;
  DONE(mixgrpo_model_save(f->model, scratch_path("model"), MIXGRPO_STORAGE_F32));
  DONE(mixgrpo_model_load(f->context, scratch_path("model"), &loaded));
  CHECK(equal_weights(f->model, loaded));
  DONE(mixgrpo_model_config_load(scratch_path("model"), &config));
  CHECK(config.in_channels == CHANNELS && config.axes_dims_rope[2] == 4 && config.struct_size == sizeof config);
  memset(&config, 0, sizeof config);
  config.struct_size = sizeof config;
  DONE(mixgrpo_model_get_config(loaded, &config));
  CHECK(config.pooled_projection_dim == POOLED_WIDTH && config.num_attention_heads == 2);
  DONE(mixgrpo_model_save(f->model, scratch_path("model16"), MIXGRPO_STORAGE_BF16));
  DONE(mixgrpo_model_load(f->context, scratch_path("model16"), &rounded));
  CHECK(!equal_weights(f->model, rounded));
  mixgrpo_model_destroy(loaded);
  mixgrpo_model_destroy(rounded);
}

static void write_file(const char *path, const char *mode, const char *text) {
  FILE *file = fopen(path, mode);
  CHECK(file != NULL);
  if (!file) return;
  fputs(text, file);
  fclose(file);
}

static void bad_folders_are_errors(const fixture *f) {
  mixgrpo_model *model = NULL;
  mixgrpo_model_config config = {.struct_size = sizeof config};
  char weights[512];
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "nowhere", mixgrpo_model_load(f->context, scratch_path("nowhere"), &model));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "nowhere", mixgrpo_model_config_load(scratch_path("nowhere"), &config));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "dev", mixgrpo_model_save(f->model, "/dev/null/model", MIXGRPO_STORAGE_F32));
  INVALID("folder", mixgrpo_model_load(f->context, NULL, &model));
  INVALID("folder", mixgrpo_model_load(f->context, "", &model));
  INVALID("folder", mixgrpo_model_config_load(NULL, &config));
  INVALID("out_config", mixgrpo_model_config_load("x", NULL));
  INVALID("folder", mixgrpo_model_save(f->model, NULL, MIXGRPO_STORAGE_F32));
  INVALID("storage", mixgrpo_model_save(f->model, scratch_path("model"), 7));
  DONE(mixgrpo_model_save(f->model, scratch_path("torn"), MIXGRPO_STORAGE_F32));
  snprintf(weights, sizeof weights, "%s/diffusion_pytorch_model.safetensors", scratch_path("torn"));
  write_file(weights, "w", "\x10\x27\0\0");
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "torn", mixgrpo_model_load(f->context, scratch_path("torn"), &model));
  snprintf(weights, sizeof weights, "%s/config.json", scratch_path("torn"));
  write_file(weights, "w", "{\"num_layers\": \"two\"}");
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "num_layers", mixgrpo_model_config_load(scratch_path("torn"), &config));
  CHECK(model == NULL);
}

static void weights_that_are_not_finite_do_not_load(const fixture *f) {
  mixgrpo_model *model = NULL;
  char path[512];
  const float infinite[] = {INFINITY};
  DONE(mixgrpo_model_save(f->model, scratch_path("infinite"), MIXGRPO_STORAGE_F32));
  snprintf(path, sizeof path, "%s/diffusion_pytorch_model.safetensors", scratch_path("infinite"));
  FILE *file = fopen(path, "r+b");
  CHECK(file != NULL && fseek(file, -4, SEEK_END) == 0 && fwrite(infinite, 4, 1, file) == 1);
  fclose(file);
  REFUSED(MIXGRPO_STATUS_NOT_FINITE, "", mixgrpo_model_load(f->context, scratch_path("infinite"), &model));
  CHECK(model == NULL);
}

static void bad_handles_are_errors(const fixture *f) {
  mixgrpo_model_config config = small_model_config();
  mixgrpo_parameter_info info = {.struct_size = sizeof info};
  mixgrpo_model *model = NULL;
  float value = 0;
  size_t size = 0;
  BAD_HANDLES(h, "context", f->model, mixgrpo_model_create(h, &config, 1, &model));
  BAD_HANDLES(h, "context", f->model, mixgrpo_model_load(h, "x", &model));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_save(h, "x", 0));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_copy(h, &model));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_get_config(h, &config));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_get_size(h, &size, &size));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_get_parameter(h, 0, &info));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_find_parameter(h, "x", &size));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_get_weights(h, 0, &value, 1));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_set_weights(h, 0, &value, 1));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_get_gradients(h, 0, &value, 1));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_set_gradients(h, 0, &value, 1));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_model_zero_gradients(h));
  INVALID("config", mixgrpo_model_create(f->context, NULL, 1, &model));
  INVALID("out_model", mixgrpo_model_create(f->context, &config, 1, NULL));
  CHECK(model == NULL && size == 0);
}

void test_model(void) {
  fixture f = fixture_create(2);
  defaults_are_those_of_the_header();
  every_size_has_bounds(&f);
  parameters_tile_the_flat_vector(&f);
  weights_and_gradients_are_read_and_written_by_range(&f);
  bad_ranges_change_nothing(&f);
  a_seed_is_a_model_and_a_copy_is_its_own(&f);
  a_folder_keeps_a_model(&f);
  bad_folders_are_errors(&f);
  weights_that_are_not_finite_do_not_load(&f);
  bad_handles_are_errors(&f);
  fixture_destroy(&f);
}
