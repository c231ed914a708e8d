/* A struct of any other size than the header's is an error, and nothing of it is read or written. */
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { UNTOUCHED = 0x5a };

static void any_other_size_is_refused(const fixture *f) {
  mixgrpo_learning_config learning = f->learning;
  for (uint32_t size = 0; size < 2 * sizeof learning; size++) {
    if (size == sizeof learning) continue;
    learning.struct_size = size;
    INVALID("struct_size", mixgrpo_config_check(NULL, &learning));
    INVALID("struct_size", mixgrpo_config_init(NULL, 0, &learning, size ? size : 1));
  }
}

static void a_result_of_another_size_stays_untouched(const fixture *f) {
  mixgrpo_memory memory, before;
  const mixgrpo_workload work = {sizeof work, BATCH, TOKENS, CHANNELS, TEXT_LENGTH, 3, 2, 0, 0, 0, 0, 0, 0};
  memset(&memory, UNTOUCHED, sizeof memory);
  memory.struct_size = sizeof memory - 8;
  before = memory;
  INVALID("out_memory.struct_size", mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, NULL, &work, &memory));
  CHECK(memcmp(&memory, &before, sizeof memory) == 0);
}

static void a_misaligned_struct_is_refused(const fixture *f) {
  uint64_t room[16];
  mixgrpo_memory memory = {.struct_size = sizeof memory};
  const mixgrpo_workload work = {sizeof work, BATCH, TOKENS, CHANNELS, TEXT_LENGTH, 3, 2, 0, 0, 0, 0, 0, 0};
  for (size_t shift = 1; shift < 8; shift++) {
    void *place = (char *)room + shift;
    memcpy(place, &work, sizeof work);
    INVALID("workload", mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, NULL, place, &memory));
  }
}

void test_struct_sizes(void) {
  fixture f = fixture_create(1);
  any_other_size_is_refused(&f);
  a_result_of_another_size_stays_untouched(&f);
  a_misaligned_struct_is_refused(&f);
  fixture_destroy(&f);
}
