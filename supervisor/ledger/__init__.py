"""What happened, in an order that shows tampering."""
