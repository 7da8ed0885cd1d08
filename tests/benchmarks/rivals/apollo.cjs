// @apollo/gateway in @apollo/server standalone: node apollo.cjs SUPERGRAPH PORT, with NODE_PATH at the installed packages.
const { readFileSync } = require("node:fs");
const { ApolloGateway } = require("@apollo/gateway");
const { ApolloServer } = require("@apollo/server");
const { startStandaloneServer } = require("@apollo/server/standalone");

const [supergraph, port] = process.argv.slice(2);
const logger = { debug() {}, info() {}, warn() {}, error: console.error };
const gateway = new ApolloGateway({ supergraphSdl: readFileSync(supergraph, "utf8"), logger });
const server = new ApolloServer({ gateway, logger, introspection: false });
startStandaloneServer(server, { listen: { host: "127.0.0.1", port: Number(port) } });
