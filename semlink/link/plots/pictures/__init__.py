"""Figures of frames, maps and codes that a run kept."""
