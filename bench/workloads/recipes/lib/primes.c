/* Writes a table of the first prime numbers as C source: what a project generates once and seldom changes. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    unsigned wanted = argc > 1 ? (unsigned)atoi(argv[1]) : 1000, found = 0;
    printf("#include \"primes.h\"\nconst unsigned prime_count = %u;\nconst unsigned primes[] = {\n", wanted);
    for (unsigned number = 2; found < wanted; number++) {
        unsigned divisor = 2;
        while (divisor * divisor <= number && number % divisor)
            divisor++;
        if (divisor * divisor > number) {
            printf("%u,\n", number);
            found++;
        }
    }
    puts("};");
    return ferror(stdout) || fflush(stdout);
}
