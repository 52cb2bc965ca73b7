"""Whether code that a file names may be run, and whether what it names is what it should be."""
