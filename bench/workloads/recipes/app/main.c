/* The application: says which build it is and a checksum over the table, so that what it prints proves what it was built from. */
#include <stdio.h>

#include "build.h"
#include "primes.h"

int main(void) {
    unsigned long checksum = BUILD;
    for (unsigned i = 0; i < prime_count; i++)
        checksum = (checksum * 31 + primes[i]) % 1000000007UL;
    printf("build %d of %u primes: %lu\n", BUILD, prime_count, checksum);
    return 0;
}
