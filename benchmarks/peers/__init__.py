"""Other Paillier libraries, one a file, each with the same few operations on lists of floats."""
