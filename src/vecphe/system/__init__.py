"""What is asked of the operating system and of joblib: files, forks, lifetimes, memory, and where tasks run."""
