"""A digital code of a sensor's readings, one token for each block of pixels."""
