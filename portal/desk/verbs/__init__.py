"""What agents and contacts may do with a case. Each module has the methods of the class `Case` for one purpose."""
