"""Whether two networks of somebody else are what their scenario says: the checks of `semlink check-model`."""
