"""The course as pages: `make site`. The aligned pair is made here, the rest by Sphinx."""
