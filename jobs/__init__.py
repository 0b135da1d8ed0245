"""What is asked and how it stands: requests, job records and events in Redis, artifacts on disk. Never loads torch."""
