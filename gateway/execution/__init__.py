"""The third engine: runs a query plan against the subgraphs and shapes the answer.

Takes   a ``QueryPlan``, the normalised ``Operation`` it answers, variables, and who asks (``FetchContext``).
Gives   a ``GraphQLResponse``, for a subscription an iterator of them; or one in parts, if some of it is deferred.
Never   searches, parses what the client wrote, decides who may see what, or knows the client's connection.
Theory  A fetch starts when *its* inputs are there. All fetches write into one tree under canonical keys; the client's
        aliases, conditions and null rules are applied once, at the end, by the projection. A plan that proves hot is
        compiled (``compiled``) to functions that do all of this at once as long as nothing is wrong.

The doors, in the order a caller meets them::

    transport = Transport(settings.limits)                             one a process; ``await transport.aclose()``
    subscriptions = Subscriptions(transport, settings)                 one a process; ``await subscriptions.aclose()``
    executor = Executor(supergraph, transport, settings, worker)       one a snapshot
    executable = executor.prepare(plan, operation)                     one a plan; pure, may run in any thread; keep it
    context = FetchContext(identity=..., headers=..., deadline=...)    one a request

    response = await executor.execute(executable, variables, context, errors=known)
    async for payload in execute_incrementally(executor, executable, variables, context, errors=known): ...
    async for response in subscriptions.subscribe(executor, executable, variables, context, errors=known): ...

``errors`` are errors the caller knows already (a refused field): they come first in every response, and their paths
excuse the nulls they cause. ``@`` in such a path stands for every item of a list.
"""
