"""`taskpass doctor`: what holds on this machine and what does not, each with its next step."""
