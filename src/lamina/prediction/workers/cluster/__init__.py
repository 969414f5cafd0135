"""Workers of a Dask cluster, or of one that Slurm is asked for."""
