#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { TEXT_VALUES = 2 * TEXT_LENGTH * TEXT_WIDTH, POOLED_VALUES = 2 * POOLED_WIDTH };
static const char *const lines[2] = {"A red circle at the left", "r\xc3\xa9"
                                                                 "d"};

static void words_become_the_same_numbers_each_time(void) {
  float text[TEXT_VALUES], pooled[POOLED_VALUES], again[TEXT_VALUES], short_pooled[POOLED_WIDTH];
  DONE(mixgrpo_hashed_words_encode(
      lines, 2, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, text, TEXT_VALUES, pooled, POOLED_VALUES));
  DONE(mixgrpo_hashed_words_encode(
      lines, 2, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, again, TEXT_VALUES, pooled, POOLED_VALUES));
  CHECK(memcmp(text, again, sizeof text) == 0);
  CHECK(text[0] != 0 && text[(TEXT_LENGTH + 1) * TEXT_WIDTH] == 0); /* one word: the second token is empty */
  DONE(mixgrpo_hashed_words_encode(
      lines, 1, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, again, TEXT_VALUES, short_pooled, POOLED_WIDTH));
  CHECK(memcmp(short_pooled, pooled, sizeof short_pooled) == 0);
}

/* 16 MiB is the longest text. */
static void a_text_without_end_is_refused(void) {
  const size_t longest = (size_t)1 << 24;
  char *line = malloc(longest + 2);
  float text[TEXT_LENGTH * TEXT_WIDTH], pooled[POOLED_WIDTH];
  memset(line, 'a', longest + 1);
  line[longest + 1] = 0;
#define ENCODE(line) \
  mixgrpo_hashed_words_encode((const char *[]){line}, 1, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, text, \
                              sizeof text / sizeof *text, pooled, POOLED_WIDTH)
  INVALID("prompts[0]: expected at most 16777216 bytes", ENCODE(line));
  line[longest] = 0;
  DONE(ENCODE(line));
#undef ENCODE
  free(line);
}

static void bad_sizes_touch_nothing(void) {
  float text[TEXT_VALUES] = {5}, pooled[POOLED_VALUES] = {5};
  const char *const with_null[2] = {"a", NULL}, *const not_utf8[2] = {"a", "\xc3("};
  const int32_t absurd[] = {0, -1, INT32_MIN, INT32_MAX};
  for (int i = 0; i < 4; i++) {
    const int32_t size = absurd[i];
    INVALID("prompt_count", mixgrpo_hashed_words_encode(lines, size, 3, 6, 5, text, TEXT_VALUES, pooled, POOLED_VALUES));
    INVALID("text_length", mixgrpo_hashed_words_encode(lines, 2, size, 6, 5, text, TEXT_VALUES, pooled, POOLED_VALUES));
    INVALID("text_width", mixgrpo_hashed_words_encode(lines, 2, 3, size, 5, text, TEXT_VALUES, pooled, POOLED_VALUES));
    INVALID("pooled_width", mixgrpo_hashed_words_encode(lines, 2, 3, 6, size, text, TEXT_VALUES, pooled, POOLED_VALUES));
  }
  TOO_SMALL("out_text", mixgrpo_hashed_words_encode(lines, 2, 3, 6, 5, text, TEXT_VALUES - 1, pooled, POOLED_VALUES));
  TOO_SMALL("out_pooled", mixgrpo_hashed_words_encode(lines, 2, 3, 6, 5, text, TEXT_VALUES, pooled, 0));
  INVALID("out_text", mixgrpo_hashed_words_encode(lines, 2, 3, 6, 5, NULL, TEXT_VALUES, pooled, POOLED_VALUES));
  INVALID("prompts[1]", mixgrpo_hashed_words_encode(with_null, 2, 3, 6, 5, text, TEXT_VALUES, pooled, POOLED_VALUES));
  INVALID("prompts[1]", mixgrpo_hashed_words_encode(not_utf8, 2, 3, 6, 5, text, TEXT_VALUES, pooled, POOLED_VALUES));
  INVALID("prompts", mixgrpo_hashed_words_encode(NULL, 2, 3, 6, 5, text, TEXT_VALUES, pooled, POOLED_VALUES));
  CHECK(text[0] == 5 && pooled[0] == 5);
}

static void embeddings_are_copied_and_checked(const fixture *f) {
  float text[TEXT_VALUES] = {0}, pooled[POOLED_VALUES] = {0};
  mixgrpo_prompts *prompts = NULL;
  DONE(mixgrpo_prompts_create(f->context, text, TEXT_VALUES, pooled, POOLED_VALUES, 2, 3, 6, 5, &prompts));
  CHECK(mixgrpo_prompts_count(prompts) == 2);
  mixgrpo_prompts_destroy(prompts);
  CHECK(mixgrpo_prompts_count(prompts) == 0 && mixgrpo_prompts_count(NULL) == 0);
  prompts = NULL;
  INVALID("text", mixgrpo_prompts_create(f->context, text, TEXT_VALUES - 1, pooled, POOLED_VALUES, 2, 3, 6, 5, &prompts));
  INVALID("pooled", mixgrpo_prompts_create(f->context, text, TEXT_VALUES, pooled, SIZE_MAX, 2, 3, 6, 5, &prompts));
  INVALID("pooled_width", mixgrpo_prompts_create(f->context, text, TEXT_VALUES, pooled, 0, 2, 3, 6, 0, &prompts));
  INVALID("text", mixgrpo_prompts_create(f->context, NULL, TEXT_VALUES, pooled, POOLED_VALUES, 2, 3, 6, 5, &prompts));
  INVALID("out_prompts", mixgrpo_prompts_create(f->context, text, TEXT_VALUES, pooled, POOLED_VALUES, 2, 3, 6, 5, NULL));
  text[7] = NAN;
  INVALID("text", mixgrpo_prompts_create(f->context, text, TEXT_VALUES, pooled, POOLED_VALUES, 2, 3, 6, 5, &prompts));
  text[7] = 0;
  pooled[3] = INFINITY;
  INVALID("pooled", mixgrpo_prompts_create(f->context, text, TEXT_VALUES, pooled, POOLED_VALUES, 2, 3, 6, 5, &prompts));
  INVALID("prompts[0]", mixgrpo_prompts_create_hashed_words(f->context, (const char *[]){NULL}, 1, 3, 6, 5, &prompts));
  INVALID("text_width", mixgrpo_prompts_create_hashed_words(f->context, lines, 2, 3, -6, 5, &prompts));
  BAD_HANDLES(h, "context", f->plan, mixgrpo_prompts_create(h, text, TEXT_VALUES, pooled, POOLED_VALUES, 2, 3, 6, 5, &prompts));
  BAD_HANDLES(h, "context", f->plan, mixgrpo_prompts_create_hashed_words(h, lines, 2, 3, 6, 5, &prompts));
  CHECK(prompts == NULL);
}

void test_prompts(void) {
  fixture f = fixture_create(2);
  words_become_the_same_numbers_each_time();
  a_text_without_end_is_refused();
  bad_sizes_touch_nothing();
  embeddings_are_copied_and_checked(&f);
  fixture_destroy(&f);
}
