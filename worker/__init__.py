"""The worker: takes jobs from a queue, decodes media in a limited process, runs the model, stores what came out."""
