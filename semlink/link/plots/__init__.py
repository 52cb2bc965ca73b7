"""Curves, maps and frames, drawn from results."""
