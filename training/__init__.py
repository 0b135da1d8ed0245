"""From clips to a checkpoint: data sets, recipes, the loop, metrics, the results table."""
