"""Skeletons of the four kinds of scheme."""
