/* The layout of every struct of mixgrpo.h, as this compiler makes it, is the one that the bindings are generated with: no hole
 * before a field or at the end, and no field more or less. */
#include <stddef.h>
#include <stdio.h>

#include "mixgrpo.h"

static int faults, structs;

static void expect(const char *what, size_t expected, size_t got) {
  if (expected == got) return;
  fprintf(stderr, "%s: expected %zu, got %zu\n", what, expected, got);
  faults++;
}

#define STRUCT(type, size) structs++, expect("size of " #type, size, sizeof(type));
#define FIELD(type, name, offset, size) \
  expect("offset of " #type "." #name, offset, offsetof(type, name)); \
  expect("size of " #type "." #name, size, sizeof(((type *)0)->name));

int main(void) {
#include "struct_layout.h"
  printf("%d structs lie in memory as the bindings count on\n", structs);
  return faults != 0;
}
