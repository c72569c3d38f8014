"""States saved by earlier versions, which later ones must load."""
