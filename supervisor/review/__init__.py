"""What happened, looked at afterwards: found, proved, judged again, counted, taken elsewhere."""
