"""From values to plaintexts in [0, n), and back: fixed-point numbers, slots, and the format that an array records."""
