"""The version, which saved states and exported models carry."""

__version__ = "0.1.0.dev0"
