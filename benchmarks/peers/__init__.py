"""Other libraries on the same vectors."""
