"""Questions to a person: what an answer is bound to, and how long it holds."""
