"""A sensor whose pixels expose for different times, and reconstruction from its readings."""
