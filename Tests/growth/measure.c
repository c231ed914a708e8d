#define _GNU_SOURCE
#include "measure.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

static long entries(const char *path) {
  long count = 0;
  DIR *const folder = opendir(path);
  while (folder && readdir(folder)) count++;
  if (folder) closedir(folder);
  return count;
}

static long resident_bytes(void) {
  long size = 0, resident = 0;
  FILE *const file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2) resident = 0;
  if (file) fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

void growth_measure(void) {
  const struct mallinfo2 blocks = mallinfo2();
  printf("held %zu %ld %ld %ld\n", blocks.uordblks + blocks.hblkhd, resident_bytes(), entries("/proc/self/fd"),
         entries("/proc/self/task"));
  fflush(stdout);
}
