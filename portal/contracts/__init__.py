"""The company and its offer: contracts, services, projects, tasks, case types and rates."""
