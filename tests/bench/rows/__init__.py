"""The rows of the benchmark: each is a function of the settings that returns a Row."""
