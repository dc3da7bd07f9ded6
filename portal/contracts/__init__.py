"""The company and what it sells: contracts, services, projects, tasks, case types and rates."""
