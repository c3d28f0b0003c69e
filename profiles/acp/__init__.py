"""Any ACP agent: what it asks its client for permission is judged, and answered."""
