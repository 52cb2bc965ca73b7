"""A sensor and its reconstruction, nothing sent."""
