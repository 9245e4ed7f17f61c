"""The data plane of Moorage: what runs inside a pod."""
