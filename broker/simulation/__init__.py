"""Invented traffic, stand-in agencies and the demo; nobody in it exists."""
