"""Call tokens: the key that signs them, and how they are verified."""
