// A small writer on RocksDB, to try the forgetful disk with.
//
//   rocks_probe write FOLDER sync|nosync   numbers on from what is there, a value for each; prints a number once it is
//                                          stored; never ends by itself
//   rocks_probe count FOLDER               prints the last number; status 1 when one before it is missing
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(char* error) {
  if (error == NULL) return;
  fprintf(stderr, "rocks_probe: %s\n", error);
  exit(1);
}

static long count(rocksdb_t* db) {
  rocksdb_readoptions_t* options = rocksdb_readoptions_create();
  rocksdb_iterator_t* at = rocksdb_create_iterator(db, options);
  long number = 0;
  for (rocksdb_iter_seek_to_first(at); rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
    size_t size = 0;
    const char* key = rocksdb_iter_key(at, &size);
    char text[16] = "";
    memcpy(text, key, size < 15 ? size : 15);
    if (atol(text) != ++number) {
      fprintf(stderr, "rocks_probe: %ld is missing\n", number);
      exit(1);
    }
  }
  rocksdb_iter_destroy(at);
  rocksdb_readoptions_destroy(options);
  return number;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  char* error = NULL;
  char value[512];
  memset(value, 'v', sizeof(value));
  rocksdb_options_t* options = rocksdb_options_create();
  rocksdb_options_set_create_if_missing(options, 1);
  rocksdb_options_set_write_buffer_size(options, 200000);  // so that files are written, merged and removed
  rocksdb_t* db = rocksdb_open(options, argv[2], &error);
  check(error);
  long number = count(db);
  if (strcmp(argv[1], "count") == 0) {
    printf("%ld\n", number);
    rocksdb_close(db);
    return 0;
  }
  rocksdb_writeoptions_t* how = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(how, argc > 3 && strcmp(argv[3], "sync") == 0);
  for (;;) {
    char key[32];
    snprintf(key, sizeof(key), "%010ld", ++number);
    rocksdb_put(db, how, key, 10, value, sizeof(value), &error);
    check(error);
    printf("%ld\n", number);
    fflush(stdout);
  }
}
