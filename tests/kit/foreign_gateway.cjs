// Loads a supergraph in @apollo/gateway and plans one operation; no subgraph is asked. The answer is one line of JSON.
// Run with NODE_PATH at the directory that tests/kit/prerequisites.py installs into.
const { readFileSync } = require("node:fs");
const { ApolloGateway } = require("@apollo/gateway");
const { parse } = require("graphql");

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function plan({ supergraph, query, variables }) {
  let planned = null;
  const gateway = new ApolloGateway({
    supergraphSdl: supergraph,
    buildService: () => ({ process: async () => ({ data: {} }) }),
    experimental_didResolveQueryPlan: ({ queryPlan }) => (planned = queryPlan),
    logger: silent,
  });
  try {
    const { executor } = await gateway.load();
    const document = parse(query);
    const operationName = document.definitions[0].name?.value;
    await executor({
      document,
      operationName,
      operation: document.definitions[0],
      request: { query, operationName, variables },
      queryHash: query,
      logger: silent,
    });
    return { plan: planned };
  } catch (refused) {
    return { refused: (refused.causes ?? [refused]).map((cause) => cause.message) };
  } finally {
    await gateway.stop().catch(() => {});
  }
}

plan(JSON.parse(readFileSync(0, "utf8"))).then((answer) => console.log(JSON.stringify(answer)));
