"""Clips that are made: moving scenes, photographs, digits, a colour wheel."""
