"""The names by which scripts of the SNN Toolbox call this package; each is another name of something of ours."""
