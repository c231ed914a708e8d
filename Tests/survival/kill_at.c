/* Preloaded into a process: ends it with SIGKILL just before its n-th change of a file (KILL_AT=n). With KILL_COUNT=path it
 * writes the number of changes to that file instead, when the process ends. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long changes;

static void change(void) {
  const char *at = getenv("KILL_AT");
  long number = atomic_fetch_add(&changes, 1) + 1;
  if (at && number == atol(at)) kill(getpid(), SIGKILL);
}

static int is_file(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && descriptor > 2;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  static ssize_t (*next)(int, const void *, size_t);
  if (!next) next = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  if (is_file(descriptor)) change();
  return next(descriptor, bytes, count);
}

int rename(const char *from, const char *to) {
  static int (*next)(const char *, const char *);
  if (!next) next = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  change();
  return next(from, to);
}

int unlink(const char *path) {
  static int (*next)(const char *);
  if (!next) next = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
  change();
  return next(path);
}

int mkdir(const char *path, mode_t mode) {
  static int (*next)(const char *, mode_t);
  if (!next) next = (int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir");
  change();
  return next(path, mode);
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("KILL_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", atomic_load(&changes));
  fclose(file);
}
