"""The mathematics and networks: one paper, one file. No disk, network or environment, checkpoint.py aside."""
