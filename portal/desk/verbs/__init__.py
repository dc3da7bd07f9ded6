"""What agents and contacts may do with a case: each module holds a few methods of the class `Case`, by what they do."""
