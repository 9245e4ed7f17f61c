"""What a node is to a cluster: pods as processes of this machine, with files, addresses, probes and restarts."""
