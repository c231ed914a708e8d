#include "mpi_collective.h"

#include <limits.h>
#include <stdlib.h>

#include <mpi.h>

/* Of the library's calls alone, so that they do not meet messages of the host. */
static MPI_Comm ranks = MPI_COMM_NULL;
static int count = 1;
/* Four numbers for each rank. */
static int *table = NULL;

int mpi_ranks_start(int32_t *rank, int32_t *size) {
  int provided = 0, own = 0;
  int error = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
  if (error != MPI_SUCCESS) return error;
  if (provided < MPI_THREAD_SERIALIZED) return MPI_ERR_OTHER;
  error = MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
  if (error != MPI_SUCCESS) return error;
  /* Errors come back to the library, which ends the work of all ranks in order. */
  MPI_Comm_set_errhandler(ranks, MPI_ERRORS_RETURN);
  MPI_Comm_rank(ranks, &own);
  MPI_Comm_size(ranks, &count);
  table = malloc(4 * (size_t)count * sizeof *table);
  if (!table) return MPI_ERR_NO_MEM;
  *rank = own;
  *size = count;
  return MPI_SUCCESS;
}

void mpi_ranks_finish(int status) {
  if (status != 0) MPI_Abort(MPI_COMM_WORLD, status);
  free(table);
  MPI_Comm_free(&ranks);
  MPI_Finalize();
}

int32_t mpi_ranks_all_gather(void *user_data, const void *sent, void *received, size_t bytes) {
  (void)user_data;
  if (bytes > INT_MAX) return MPI_ERR_COUNT;
  return MPI_Allgather(sent, (int)bytes, MPI_BYTE, received, (int)bytes, MPI_BYTE, ranks);
}

/* Sizes and places of pieces that stand one behind the other; 0 when they are too many for MPI. */
static int describe(const size_t *bytes, int *sizes, int *places) {
  size_t place = 0;
  for (int i = 0; i < count; i++) {
    if (bytes[i] > INT_MAX || place > INT_MAX) return 0;
    sizes[i] = (int)bytes[i];
    places[i] = (int)place;
    place += bytes[i];
  }
  return 1;
}

int32_t mpi_ranks_all_to_all(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  (void)user_data;
  int *const sizes = table, *const places = table + count, *const own_sizes = table + 2 * count, *const own_places = table + 3 * count;
  int error = MPI_ERR_COUNT;
  if (describe(sent_bytes, sizes, places) && describe(received_bytes, own_sizes, own_places))
    error = MPI_Alltoallv(sent, sizes, places, MPI_BYTE, received, own_sizes, own_places, MPI_BYTE, ranks);
  return error;
}
