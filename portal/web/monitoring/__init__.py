"""Show operators whether the portal is well: its health for load balancers and admins, its metrics for Prometheus."""
