"""Frames or measurements to bits or symbols and back."""
