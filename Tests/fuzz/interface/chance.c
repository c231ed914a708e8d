#include "chance.h"

#include <math.h>
#include <string.h>

static _Thread_local uint64_t state;

void chance_seed(uint64_t seed) { state = seed; }

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t chance_bits(void) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

uint32_t below(uint32_t n) { return (uint32_t)((chance_bits() >> 32) * n >> 32); }
int one_in(uint32_t n) { return below(n) == 0; }

/* Bounds that the header states. */
static const int64_t bounds[] = {0,     1,     2,     4,      12,      25,      64,        512,        1000,       1024,    4096,
                                 10000, 16384, 65535, 65536, 1000000, 1 << 24, 1LL << 26, 1000000000, 1LL << 31, 1LL << 32};

int64_t any_long(void) {
  const int64_t offset = (int64_t)below(3) - 1;
  switch (below(6)) {
    case 0: return (int64_t)below(9) - 1;
    case 1: return (int64_t)chance_bits();
    case 2: return (int64_t)((1ull << below(64)) + (uint64_t)offset);
    case 3: return one_in(2) ? INT64_MAX - below(3) : INT64_MIN + below(3);
    default: return bounds[below(sizeof bounds / sizeof *bounds)] + offset;
  }
}

int32_t any_int(void) {
  switch (below(8)) {
    case 0: return INT32_MAX - (int32_t)below(3);
    case 1: return INT32_MIN + (int32_t)below(3);
    default: return (int32_t)any_long();
  }
}

size_t any_size(void) { return (size_t)any_long(); }

double any_double(void) {
  static const double corners[] = {0, -0.0, 1, -1, 0.5, 1e-8, 1e-300, 1e300, 1e6, 1e12, 1000, 10, 5e-324, 1.7976931348623157e308};
  union { uint64_t bits; double value; } raw = {.bits = chance_bits()};
  switch (below(8)) {
    case 0: return NAN;
    case 1: return one_in(2) ? INFINITY : -INFINITY;
    case 2: return raw.value;
    case 3: return nextafter(corners[below(14)], one_in(2) ? INFINITY : -INFINITY);
    default: return corners[below(14)];
  }
}

int32_t some_int(int32_t lowest, int32_t highest) {
  return one_in(24) ? any_int() : lowest + (int32_t)below((uint32_t)(highest - lowest + 1));
}

double some_double(double lowest, double highest) {
  return one_in(24) ? any_double() : lowest + (highest - lowest) * (double)(chance_bits() >> 11) * 0x1p-53;
}

size_t size_near(size_t count) {
  if (!one_in(16)) return count;
  switch (below(6)) {
    case 0: return 0;
    case 1: return count ? count - 1 : 0;
    case 2: return SIZE_MAX - below(4);
    case 3: return (size_t)1 << 62 | below(5);
    case 4: return ((size_t)1 << 61) + 1 + count;
    default: return (size_t)INT64_MAX - below(4);
  }
}

void fill_floats(float *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = (float)((double)(int64_t)chance_bits() * 0x1p-62);
  if (count && one_in(24)) values[below((uint32_t)count)] = (float)any_double();
}

void fill_doubles(double *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = (double)(int64_t)chance_bits() * 0x1p-62;
  if (count && one_in(24)) values[below((uint32_t)count)] = any_double();
}

void fill_indices(int32_t *values, size_t count, int32_t limit) {
  const int32_t first = (int32_t)below((uint32_t)limit);
  for (size_t i = 0; i < count; i++) values[i] = (int32_t)((first + (int64_t)i) % limit);
  if (count && one_in(24)) values[below((uint32_t)count)] = any_int();
}

void disturb(void *structure, size_t size) {
  if (!one_in(3)) return;
  for (uint32_t times = 1 + below(3); times > 0; times--) {
    if (one_in(2)) {
      const int32_t value = any_int();
      const size_t place = 4 * (size_t)below((uint32_t)(size / 4));
      if (place > 0 || one_in(16)) memcpy((char *)structure + place, &value, 4);
    } else {
      const double value = any_double();
      const size_t place = 8 * (size_t)below((uint32_t)(size / 8));
      if (place > 0) memcpy((char *)structure + place, &value, 8);
    }
  }
}

const char *any_text(void) {
  static const char *const words[] = {"a red circle", "two blue squares, night", "", " ", "key", "\xc3\xa9t\xc3\xa9 \xf0\x9f\x8c\x99", "a\nb\tc\x1b[0m"};
  static _Thread_local char long_text[8][5000];
  static _Thread_local int turn;
  if (one_in(64)) return NULL;
  if (!one_in(4)) return words[below(7)];
  char *const text = long_text[turn = (turn + 1) % 8];
  const size_t length = one_in(4) ? sizeof *long_text - 1 : below(90);
  for (size_t i = 0; i < length; i++) text[i] = (char)(one_in(8) ? 1 + below(255) : 'a' + below(26));
  text[length] = 0;
  return text;
}
