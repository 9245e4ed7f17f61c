"""The control plane of Moorage: what should exist, and how it comes to exist."""
