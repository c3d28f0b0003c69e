"""Decides about effects: Cedar policies in layers, asks as annotations."""
