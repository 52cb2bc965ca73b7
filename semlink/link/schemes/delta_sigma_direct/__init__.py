"""Binary maps sent without a channel code."""
