"""What every backend must pass, ours and others: ``snntoolbox.check_backend``."""
