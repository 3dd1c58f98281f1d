/* Gives each flush of a file a fixed price, so that a benchmark does not measure the disk it happens to run on.
   Loaded with LD_PRELOAD; the price is MAGNETAR_BENCH_FLUSH_NANOS. Nothing is flushed. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int flush(void) {
    const char *price = getenv("MAGNETAR_BENCH_FLUSH_NANOS");
    long nanos = price ? strtol(price, NULL, 10) : 0;
    struct timespec left = {nanos / 1000000000, nanos % 1000000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
    return 0;
}

int fsync(int file) { (void)file; return flush(); }
int fdatasync(int file) { (void)file; return flush(); }
