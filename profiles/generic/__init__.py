"""Any program: no hooks, so a use belongs to a process and not to a call."""
