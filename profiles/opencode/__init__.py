"""opencode: a plugin of ours in its process, which announces each call and waits for the answer."""
