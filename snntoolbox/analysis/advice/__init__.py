"""What to change about a conversion: settings proposed by the terms of its error, and tried on calibration data."""
