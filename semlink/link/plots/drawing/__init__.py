"""Curves and panels laid out as figures."""
