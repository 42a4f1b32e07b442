/* The line that a change of the source changes. */
#define BUILD 1
