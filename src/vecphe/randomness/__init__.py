"""The n-th residues that hide plaintexts, and the account of which of them have left the process."""
