// The explorer: write an operation, run it, see its plan as a picture, look things up in the schema.

import { ask, namedOperations, plan, socket, useToken } from "./graph.js";
import { h, notice, replace } from "./dom.js";
import { planPicture } from "./plan_picture.js";

const SCHEMA = `{ __schema {
  queryType { name } mutationType { name } subscriptionType { name }
  types { kind name description
    fields(includeDeprecated: true) { name description isDeprecated args { name type { ...T } } type { ...T } }
    inputFields { name description type { ...T } }
    enumValues { name description } possibleTypes { name } }
} }
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }`;

const REMEMBERED = "galleria.explorer";

export function explorer(place) {
  const kept = JSON.parse(localStorage.getItem(REMEMBERED) ?? "null") ?? { query: "{ __typename }", variables: "{}" };
  let stop = () => {};
  const query = h("textarea", { class: "code", spellcheck: "false", "aria-label": "Operation", oninput: changed, onkeydown: keys });
  const variables = h("textarea", { class: "code small", spellcheck: "false", "aria-label": "Variables (JSON)", oninput: remember });
  const result = h("pre", { class: "result", tabindex: "0", "aria-label": "Answer" });
  const picture = h("div", { class: "picture" });
  const facts = h("span", { class: "counter" });
  const docs = h("div", { class: "docs" });
  const named = h("select", { "aria-label": "Named operations", onchange: choose });
  const runButton = h("button", { class: "primary", type: "button", onclick: run }, "Run");
  const token = h("input", { type: "password", placeholder: "Bearer token (optional)", "aria-label": "Bearer token", onchange: (event) => useToken(event.target.value.trim()) });
  query.value = kept.query;
  variables.value = kept.variables;
  let operations = [];

  replace(place, h("div", { class: "explorer" },
    h("section", { class: "write" },
      h("div", { class: "bar-row" }, h("h1", {}, "Explorer"), named, runButton),
      query, h("h2", {}, "Variables"), variables, token),
    h("section", { class: "read" },
      h("div", { class: "bar-row" }, h("h2", {}, "Plan"), facts), picture, h("h2", {}, "Answer"), result),
    h("aside", { class: "look-up" }, h("h2", {}, "Schema"), h("input", { type: "search", placeholder: "Type or field", "aria-label": "Look up in the schema", oninput: (event) => lookUp(event.target.value.trim()) }), docs)));

  let schema = null;
  let timer;
  let drawing = 0; // Which plan was asked for last: answers may overtake each other, the newest question wins.

  function remember() {
    localStorage.setItem(REMEMBERED, JSON.stringify({ query: query.value, variables: variables.value }));
  }

  function changed() {
    remember();
    clearTimeout(timer);
    timer = setTimeout(drawPlan, 350);
  }

  function keys(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
    if (event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      query.setRangeText("  ", query.selectionStart, query.selectionEnd, "end");
    }
  }

  function choose() {
    const operation = operations.find((candidate) => candidate.name === named.value);
    if (!operation) return;
    query.value = operation.document;
    variables.value = JSON.stringify(operation.variables ?? {}, null, 2);
    remember();
    drawPlan();
  }

  /** Where a fetch's answers go, as text: its own path, or those of its first entities. */
  function placeOf(fetch) {
    const [first] = fetch.entities;
    const paths = first ? [first.path, ...first.also] : [fetch.path];
    return paths.map((path) => path.map((segment) => segment.types?.join("|") ?? segment).join(".")).join(" and ");
  }

  async function drawPlan() {
    const asked = ++drawing;
    const answer = await plan(query.value);
    if (asked !== drawing) return;
    if (!answer.plan) {
      facts.textContent = "";
      return void replace(picture, notice("No plan", answer.errors?.[0]?.message ?? answer.message ?? "This gateway shows plans in development only."));
    }
    const fetches = answer.plan.fetches.map((fetch) => ({ ...fetch, depends_on: fetch.dependsOn, path: placeOf(fetch) }));
    const all = [...(answer.plan.subscription ? [{ ...answer.plan.subscription, id: "event", depends_on: [], path: "" }] : []), ...fetches.map((fetch) => answer.plan.subscription && fetch.depends_on.length === 0 ? { ...fetch, depends_on: ["event"] } : fetch)];
    facts.textContent = `${answer.fetches} fetch${answer.fetches === 1 ? "" : "es"}, ${answer.depth} round${answer.depth === 1 ? "" : "s"}`;
    const sent = h("pre", { class: "sent", hidden: true });
    replace(picture, all.length ? planPicture(all, (fetch) => {
      sent.hidden = false;
      sent.textContent = `# to ${fetch.subgraph}${fetch.reason ? `: ${fetch.reason}` : ""}\n${fetch.document}`;
    }) : h("p", { class: "empty" }, "Nothing to fetch: the gateway answers this itself."), sent);
  }

  async function run() {
    stop();
    stop = () => {};
    let values = {};
    try {
      values = JSON.parse(variables.value || "{}");
    } catch (error) {
      return void (result.textContent = `The variables are not JSON: ${error.message}`);
    }
    if (/^\s*subscription\b/m.test(query.value)) {
      result.textContent = "Listening …";
      const seen = [];
      stop = socket.subscribe(query.value, values, {
        next: (payload) => { seen.unshift(payload); result.textContent = seen.slice(0, 20).map((event) => JSON.stringify(event, null, 2)).join("\n\n"); },
        end: (errors) => { if (errors) result.textContent = JSON.stringify({ errors }, null, 2); },
      });
      return;
    }
    const began = performance.now();
    const answer = await ask(query.value, values);
    result.textContent = JSON.stringify(answer, null, 2);
    result.dataset.took = `${Math.round(performance.now() - began)} ms`;
  }

  function lookUp(text) {
    if (!schema) return;
    const wanted = text.toLowerCase();
    const roots = [schema.queryType, schema.mutationType, schema.subscriptionType].filter(Boolean).map((type) => type.name);
    const types = schema.types.filter((type) => !type.name.startsWith("__"));
    const hits = wanted
      ? types.filter((type) => type.name.toLowerCase().includes(wanted) || type.fields?.some((field) => field.name.toLowerCase().includes(wanted)))
          .sort((a, b) => Number(b.name.toLowerCase().startsWith(wanted)) - Number(a.name.toLowerCase().startsWith(wanted)))
      : types.filter((type) => roots.includes(type.name));
    replace(docs, hits.slice(0, 12).map((type) => h("details", { open: hits.length < 4 },
      h("summary", {}, h("b", {}, type.name), h("small", {}, ` ${type.kind.toLowerCase().replace("_", " ")}`)),
      type.description ? h("p", {}, type.description) : null,
      h("ul", {}, (type.fields ?? type.inputFields ?? []).map((field) => h("li", { "data-hit": wanted && field.name.toLowerCase().includes(wanted) ? "yes" : "no" },
        h("code", {}, field.name, field.args?.length ? h("i", {}, `(${field.args.map((argument) => `${argument.name}: ${printed(argument.type)}`).join(", ")})`) : "", ": ",
          h("a", { href: "#explorer", onclick: (event) => { event.preventDefault(); lookUp(bare(field.type)); } }, printed(field.type))),
        field.description ? h("p", {}, field.description) : null)),
        (type.enumValues ?? []).map((value) => h("li", {}, h("code", {}, value.name), value.description ? h("p", {}, value.description) : null)),
        (type.possibleTypes ?? []).map((possible) => h("li", {}, h("code", {}, possible.name)))))));
  }

  (async () => {
    operations = await namedOperations();
    replace(named, h("option", { value: "" }, "Named operations …"), operations.map((operation) => h("option", { value: operation.name }, operation.name)));
    named.hidden = operations.length === 0;
    drawPlan();
    const answer = await ask(SCHEMA);
    schema = answer.data?.__schema ?? null;
    if (schema) lookUp("");
    else replace(docs, notice("The schema is not shown here.", answer.errors?.[0]?.message));
  })();

  return () => { stop(); clearTimeout(timer); };
}

function printed(type) {
  if (type.kind === "NON_NULL") return `${printed(type.ofType)}!`;
  if (type.kind === "LIST") return `[${printed(type.ofType)}]`;
  return type.name;
}

function bare(type) {
  return type.ofType ? bare(type.ofType) : type.name;
}
