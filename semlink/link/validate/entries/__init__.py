"""The published points, a file a subject. Adding one is one entry."""
