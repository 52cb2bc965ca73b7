"""Ours beside published numbers: a table of points, how each is measured, and the verdict."""
