"""What no scheme can exceed: capacity, finite blocklength, outage."""
