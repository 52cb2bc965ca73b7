"""Complete ways to send a clip: a transmitter and a receiver."""
