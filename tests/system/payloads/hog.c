// SPDX-License-Identifier: MIT
//
// hog [MEGABYTES]
//
// The classic demonstration of a memory limit: takes ten megabytes at a time, touches every page, says so, and goes
// on until it is killed (or MEGABYTES are reached: then it stays, holding them).

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char** argv)
{
    enum { step = 10 };
    const long most = argc > 1 ? atol(argv[1]) : 0;
    for (long held = step; most == 0 || held <= most; held += step) {
        unsigned char* memory = mmap(NULL, step << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            puts("the kernel refuses more");
            return 1;
        }
        for (long at = 0; at < (long)step << 20; at += 4096)
            memory[at] = 1;
        printf("holding %ld MB\n", held);
        fflush(stdout);
    }
    for (;;)
        pause();
}
