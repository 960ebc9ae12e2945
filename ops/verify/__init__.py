"""`python -m ops verify`: whether a running stack does what callers need, asked from outside as a caller would."""
