"""The page that a person opens: one file without anything from elsewhere, made of sections that stories fill."""
