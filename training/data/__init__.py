"""Data sets, one file each, able to state their true factors where these exist."""
