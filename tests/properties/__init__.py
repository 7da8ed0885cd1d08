"""Laws that hold for every graph: the federation answers what one server would, whatever the graph and the operation."""
