"""The numbers that a key is: primes, n, and n on an engine."""
