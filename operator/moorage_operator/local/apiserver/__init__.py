"""What an API server and its disk are to a cluster: manifests are read, refused or admitted, and stored."""
