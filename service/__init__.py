"""The HTTP service over `jobs`: routes, uploads, negotiation, problems. It decodes no media and never loads torch."""
