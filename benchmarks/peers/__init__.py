"""Other libraries, one a file, each with the same few operations on lists of floats.

A module has `NAME` and `make(key_length)`, which returns a peer: `encrypt`, `add`, `decrypt`, and `ERROR`, the absolute
error that its encoding allows. Where a library refuses short keys, its module has `LEAST_KEY_LENGTH`. A module is
imported where it is needed alone: whatever is not installed is skipped, with the reason.
"""
