"""Makes `tests` a package that is found here first: some libraries install a package of that name."""
