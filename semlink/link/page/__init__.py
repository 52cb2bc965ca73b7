"""One HTML page for finished runs: a section a file, everything inside, nothing fetched."""
