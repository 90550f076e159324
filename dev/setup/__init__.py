"""What this checkout needs: found, fetched or built.

Standard library only, since it runs before anything is installed.
"""
