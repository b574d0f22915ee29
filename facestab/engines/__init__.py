"""What runs a trained network: torch itself, or a runtime that is faster on the machine at hand."""
