"""What authors run: outputs, exercises, lint, validation, pictures; see the Makefile."""
