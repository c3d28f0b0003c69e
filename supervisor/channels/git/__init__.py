"""Git in a task: who it is told to ask for credentials, and what a push says that it does."""
