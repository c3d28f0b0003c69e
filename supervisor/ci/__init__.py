"""Jobs of CI systems: which of them this is, its OIDC token, and what that vouches for."""
