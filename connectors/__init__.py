"""One folder per agency format; each exports SPEC and nothing else."""
