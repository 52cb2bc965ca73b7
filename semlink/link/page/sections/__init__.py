"""The sections of the page, each a file with one function."""
