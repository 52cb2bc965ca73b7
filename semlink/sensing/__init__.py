"""Light to measurement and back: sources, sensors, reconstruction."""
