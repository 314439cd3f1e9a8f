"""What the machine needs: JupyterLab, the doctor, updates. Installing is in `env/`."""
