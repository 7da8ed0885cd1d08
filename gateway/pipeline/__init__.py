"""The way of a request, from a client's text to an answer.

Takes   a ``GraphQLRequest`` and its ``Caller`` (who is asking, from where).
Gives   a ``GraphQLResponse``, or an iterator of them; raises ``RequestError`` for what cannot be run.
Never   touches bytes, headers or sockets (serving), searches plans (planning) or sends fetches (execution).
Theory  Everything that can be known without the request's variables is known once: documents, plans and generated code
        live in one immutable ``Snapshot`` per supergraph, which a request takes once and keeps to its end.
"""
