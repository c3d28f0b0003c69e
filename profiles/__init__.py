"""One folder per agent: how it is launched, hooked and bypassed."""
