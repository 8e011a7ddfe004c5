"""Strict settings, profiles, sectors and aliases."""
