"""Whether a channel does what it says: the checks of `semlink check-channel`."""
