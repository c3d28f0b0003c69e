"""What goes over the supervisor's socket: the handshake and the messages, by subject."""
