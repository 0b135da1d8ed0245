"""What is measured, one metric a file, and the pictures that go with it."""
