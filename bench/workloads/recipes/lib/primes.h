/* The table that primes.c writes. */
extern const unsigned prime_count;
extern const unsigned primes[];
