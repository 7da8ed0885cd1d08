"""The graph as shopping agents see it: named operations offered as tools.

Takes   a directory of named operations and the pipeline that answers them.
Gives   an MCP endpoint (streamable HTTP, the official SDK) whose tools have input and output schemas.
Never   invents an operation, widens what a token may do, or puts data into a tool's description.
Theory  A tool *is* an operation: its variables are the arguments, its selection the result, its comment the
        description. The same file is documentation, trusted document and plan test.
"""
