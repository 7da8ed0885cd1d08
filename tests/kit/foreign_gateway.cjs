// Another maker's gateway and composer at work. In: one JSON object; out: one line of JSON.
//   {"do": "plan",    "supergraph", "query", "variables"} → {"plan"} or {"refused": [...]}; no subgraph is asked
//   {"do": "run",     "supergraph", "query", "variables"} → {"result"} or {"refused": [...]}
//   {"do": "compose", "subgraphs": [{"name", "url", "sdl"}]} → {"supergraph"} or {"refused": [...]}
// Run with NODE_PATH at the directory that tests/kit/prerequisites.py installs into.
const { readFileSync } = require("node:fs");
const { composeServices } = require("@apollo/composition");
const { ApolloGateway } = require("@apollo/gateway");
const { parse } = require("graphql");

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function ask({ do: what, supergraph, query, variables }) {
  let plan = null;
  const asksNobody = { buildService: () => ({ process: async () => ({ data: {} }) }) };
  const gateway = new ApolloGateway({
    supergraphSdl: supergraph,
    ...(what === "plan" ? asksNobody : {}),
    experimental_didResolveQueryPlan: ({ queryPlan }) => (plan = queryPlan),
    logger: silent,
  });
  try {
    const { executor } = await gateway.load();
    const document = parse(query);
    const operationName = document.definitions[0].name?.value;
    const result = await executor({
      document,
      operationName,
      operation: document.definitions[0],
      request: { query, operationName, variables },
      queryHash: query,
      context: {},
      logger: silent,
    });
    return what === "plan" ? { plan } : { result };
  } catch (refused) {
    return { refused: (refused.causes ?? [refused]).map((cause) => cause.message) };
  } finally {
    await gateway.stop().catch(() => {});
  }
}

function compose({ subgraphs }) {
  const { supergraphSdl, errors } = composeServices(subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) })));
  return errors?.length ? { refused: errors.map((error) => error.message) } : { supergraph: supergraphSdl };
}

async function main() {
  const given = JSON.parse(readFileSync(0, "utf8"));
  console.log(JSON.stringify(given.do === "compose" ? compose(given) : await ask(given)));
}

main();
