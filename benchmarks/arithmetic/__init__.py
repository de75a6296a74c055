"""Residues modulo n^2: the kernel against the core's own peak."""
