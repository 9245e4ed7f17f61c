"""What the controller manager is to a cluster: Deployments, Jobs and CronJobs become pods, step by step."""
