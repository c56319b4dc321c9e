"""What every run needs: the console, the run's folder, its loss curve, the cache of compiled graphs."""
