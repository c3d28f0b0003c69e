"""The command line. Thin: parse, ask the supervisor, print. Imports what it needs when needed."""
