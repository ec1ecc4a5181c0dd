"""Sends sealed segments out, and reads them back."""
