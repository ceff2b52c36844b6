/*
 * A disk that fails on demand, for LD_PRELOAD: while the file named by FAILING_DISK_SWITCH exists, writing to a file whose
 * path contains FAILING_DISK_PATH fails with the error number that the switch holds (28: ENOSPC, 5: EIO). Everything else
 * passes through.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int failure(int fd) {
    const char *name = getenv("FAILING_DISK_SWITCH"), *where = getenv("FAILING_DISK_PATH");
    char text[16] = "", link[64], path[4096];
    int saved = errno, number = 0;
    int file = name && where ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        if (read(file, text, sizeof text - 1) > 0) number = atoi(text);
        close(file);
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        path[length < 0 ? 0 : length] = 0;
        if (!strstr(path, where)) number = 0;
    }
    errno = saved;
    return number;
}

#define FAILS(fd) int number = failure(fd); if (number) { errno = number; return -1; }
#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { FAILS(fd) REAL(pwrite); return real(fd, data, size, at); }
ssize_t pwritev(int fd, const struct iovec *data, int count, off_t at) { FAILS(fd) REAL(pwritev); return real(fd, data, count, at); }
int posix_fallocate(int fd, off_t at, off_t size) { int number = failure(fd); if (number) return number; REAL(posix_fallocate); return real(fd, at, size); }

#ifdef __GLIBC__
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { FAILS(fd) REAL(pwrite64); return real(fd, data, size, at); }
ssize_t pwritev64(int fd, const struct iovec *data, int count, off64_t at) { FAILS(fd) REAL(pwritev64); return real(fd, data, count, at); }
int posix_fallocate64(int fd, off64_t at, off64_t size) { int number = failure(fd); if (number) return number; REAL(posix_fallocate64); return real(fd, at, size); }
#endif
