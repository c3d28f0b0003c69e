"""What we know about programs: data, not decisions."""
