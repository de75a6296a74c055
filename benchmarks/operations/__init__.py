"""What users call, by key length, batch and engine."""
