"""Transform coefficients sent as amplitudes."""
