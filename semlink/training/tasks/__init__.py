"""What can be trained: losses, data and figures of each learned part."""
