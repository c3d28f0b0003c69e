"""What a task's terminal showed, kept where a person asked for it: sealed, and without secrets."""
