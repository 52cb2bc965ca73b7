"""YAML 1.2 with the core schema: text to values whose lines are known, and back."""
