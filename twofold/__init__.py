"""Twofold: a video's static and dynamic codes, from a server (`Client`) or in this process (`load`)."""
