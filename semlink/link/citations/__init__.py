"""BibTeX of what a scenario uses."""
