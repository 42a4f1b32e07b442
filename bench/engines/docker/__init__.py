"""Docker, and Podman through the API it shares with Docker."""
