/* Files, folders and threads: each call by any library of this process is an event. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inject.h"

/* The function that this program stands in for. */
#define REAL(name)                \
  static __typeof__(name) *real;  \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

int open(const char *path, int flags, ...) {
  REAL(open);
  va_list arguments;
  va_start(arguments, flags);
  const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return fails(OPEN) ? -1 : real(path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  REAL(openat);
  va_list arguments;
  va_start(arguments, flags);
  const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return fails(OPEN) ? -1 : real(folder, path, flags, mode);
}

/* The first half of a transfer. */
static size_t part(event what, size_t size) { return size > 1 && is_cut_short(what) ? size / 2 : size; }

ssize_t read(int descriptor, void *bytes, size_t size) {
  REAL(read);
  return fails(READ) ? -1 : real(descriptor, bytes, part(READ, size));
}
ssize_t pread(int descriptor, void *bytes, size_t size, off_t offset) {
  REAL(pread);
  return fails(READ) ? -1 : real(descriptor, bytes, part(READ, size), offset);
}
ssize_t write(int descriptor, const void *bytes, size_t size) {
  REAL(write);
  return fails(WRITE) ? -1 : real(descriptor, bytes, part(WRITE, size));
}
ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
  REAL(pwrite);
  return fails(WRITE) ? -1 : real(descriptor, bytes, part(WRITE, size), offset);
}
int fsync(int descriptor) {
  REAL(fsync);
  return fails(SYNC) ? -1 : real(descriptor);
}
int rename(const char *from, const char *to) {
  REAL(rename);
  return fails(RENAME) ? -1 : real(from, to);
}
/* As on Linux, the descriptor is free also when close reports an error. */
int close(int descriptor) {
  REAL(close);
  const int failed = fails(CLOSE), code = errno, result = real(descriptor);
  if (failed) errno = code;
  return failed ? -1 : result;
}
int flock(int descriptor, int operation) {
  REAL(flock);
  return fails(LOCK) ? -1 : real(descriptor, operation);
}
int fcntl(int descriptor, int command, ...) {
  REAL(fcntl);
  va_list arguments;
  va_start(arguments, command);
  void *const argument = va_arg(arguments, void *);
  va_end(arguments);
  return fails(LOCK) ? -1 : real(descriptor, command, argument);
}
DIR *opendir(const char *path) {
  REAL(opendir);
  return fails(OPEN_FOLDER) ? NULL : real(path);
}
struct dirent *readdir(DIR *folder) {
  REAL(readdir);
  return fails(READ_FOLDER) ? NULL : real(folder);
}
int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  return fails(MAKE_FOLDER) ? -1 : real(path, mode);
}
int unlink(const char *path) {
  REAL(unlink);
  return fails(REMOVE) ? -1 : real(path);
}
int stat(const char *path, struct stat *status) {
  REAL(stat);
  return fails(STATUS) ? -1 : real(path, status);
}
int lstat(const char *path, struct stat *status) {
  REAL(lstat);
  return fails(STATUS) ? -1 : real(path, status);
}
int fstat(int descriptor, struct stat *status) {
  REAL(fstat);
  return fails(STATUS) ? -1 : real(descriptor, status);
}
int access(const char *path, int mode) {
  REAL(access);
  return fails(STATUS) ? -1 : real(path, mode);
}
off_t lseek(int descriptor, off_t offset, int whence) {
  REAL(lseek);
  return fails(SEEK) ? -1 : real(descriptor, offset, whence);
}
int ftruncate(int descriptor, off_t size) {
  REAL(ftruncate);
  return fails(SEEK) ? -1 : real(descriptor, size);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  REAL(pthread_create);
  return fails(THREAD) ? EAGAIN : real(thread, attributes, body, argument);
}
