"""What all runtimes have in common: the precision, the cache of converted files, and the comparison of outputs."""
