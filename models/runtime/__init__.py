"""What all runtimes share: the precision, the cache of converted files, and the comparison of outputs."""
