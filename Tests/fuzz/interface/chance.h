/* Random arguments: mostly sensible, often at a bound, sometimes absurd. Each thread has its own source. */
#ifndef CHANCE_H
#define CHANCE_H

#include <stddef.h>
#include <stdint.h>

void chance_seed(uint64_t seed);
uint64_t chance_bits(void);

/* 0...n - 1. */
uint32_t below(uint32_t n);
/* True once in n. */
int one_in(uint32_t n);

/* Any number of the type, most likely one next to a power of two, to a documented bound or to the end of the type. */
int32_t any_int(void);
int64_t any_long(void);
size_t any_size(void);
double any_double(void);

/* lowest...highest, mostly; now and then any number. */
int32_t some_int(int32_t lowest, int32_t highest);
double some_double(double lowest, double highest);

/* `count` or, now and then, a size that cannot be right: 0, one off, or beyond all memory. */
size_t size_near(size_t count);

/* Finite values of moderate size; now and then one of them is not. */
void fill_floats(float *values, size_t count);
void fill_doubles(double *values, size_t count);
/* Prompt numbers below `limit`, mostly distinct. */
void fill_indices(int32_t *values, size_t count, int32_t limit);

/* Replaces some fields of a struct whose fields are 4 or 8 bytes wide; its size, at the start, is mostly left alone. */
void disturb(void *structure, size_t size);

/* A C string: words, empty, long, control characters, invalid UTF-8, or (rarely) NULL. Valid until the next but seven. */
const char *any_text(void);

#endif
