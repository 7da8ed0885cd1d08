"""The Model Context Protocol endpoint: named operations as tools, over streamable HTTP with the official SDK.

What belongs here: the protocol's words around ``tools`` and the pipeline. What does not: what an operation may do; the
pipeline proves who is asking and decides, exactly as for any other client.

Each call is complete in itself (no sessions): any worker may answer it, and nothing is lost when one stops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_REQUEST,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import (
    Tool as ToolDefinition,
)
from starlette.requests import Request

from gateway.agents.tools import Tool, Toolsets
from gateway.errors import GatewayError
from gateway.exchange import GraphQLRequest, GraphQLResponse, encode
from gateway.pipeline.pipeline import Caller, Pipeline

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROBLEMS_SHOWN_MAX = 5

INSTRUCTIONS = (
    "Shop in one graph: search_catalog finds products, check_availability says where they are, create_cart or"
    " create_checkout begin a purchase, update_checkout says where to, complete_checkout buys, get_order follows it."
    " Every tool that changes something takes `key`: choose a new one for each intention and send the same one again"
    " when you retry. Business refusals come as `errors` in the result, with what you need to recover."
)
"""What an agent is told once. Nothing from the catalog is ever put into it."""


@dataclass(frozen=True, slots=True)
class McpEndpoint:
    """An ASGI application for one path, and the lifespan it needs around it."""

    app: StreamableHTTPASGIApp
    manager: StreamableHTTPSessionManager

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        async with self.manager.run():
            yield


def mcp_endpoint(toolsets: Callable[[], Toolsets], pipeline: Pipeline, *, version: str, host: str) -> McpEndpoint:
    """The endpoint, with the tools of each contract (None: without one), asked for again when another supergraph is served. On a loopback host only loopback names are answered, against DNS rebinding."""
    desk = _Desk(toolsets, pipeline)
    server: Server[Any] = Server(
        "galleria",
        version=version,
        instructions=INSTRUCTIONS,
        on_list_tools=desk.list_tools,
        on_call_tool=desk.call_tool,
    )
    local = host in LOOPBACK
    manager = StreamableHTTPSessionManager(
        server,
        json_response=True,
        stateless=True,
        max_request_body_size=pipeline.settings.limits.body_bytes_max,
        security_settings=TransportSecuritySettings(
            enable_dns_rebinding_protection=local,
            allowed_hosts=["127.0.0.1:*", "localhost:*", "[::1]:*"],
            allowed_origins=["http://127.0.0.1:*", "http://localhost:*", "http://[::1]:*"],
        ),
    )
    return McpEndpoint(StreamableHTTPASGIApp(manager), manager)


class _Shelf:
    """The tools of one contract."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = {tool.name: tool for tool in tools}
        self.validators = {tool.name: Draft202012Validator(tool.input_schema) for tool in tools}
        self.definitions = [_definition(tool) for tool in tools]


class _Desk:
    """Answers the protocol's two questions about tools, from the shelf of the caller's contract."""

    def __init__(self, toolsets: Callable[[], Toolsets], pipeline: Pipeline) -> None:
        self._toolsets = toolsets
        self._pipeline = pipeline
        self._laid_out: Toolsets | None = None
        self._shelves: dict[str | None, _Shelf] = {}

    def _shelf(self, contract: str | None) -> _Shelf:
        toolsets = self._toolsets()
        if toolsets is not self._laid_out:
            self._laid_out = toolsets
            self._shelves = {each: _Shelf(tools) for each, tools in toolsets.items()}
        return self._shelves[contract]

    async def list_tools(
        self, context: ServerRequestContext[Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        try:
            caller = await self._caller(context)
        except GatewayError as error:
            raise MCPError(INVALID_REQUEST, str(self._pipeline.refusal(error).errors[0]["message"])) from None
        return ListToolsResult(tools=self._shelf(caller.contract).definitions)

    async def call_tool(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        try:
            caller = await self._caller(context)
        except GatewayError as error:
            return _result(self._pipeline.refusal(error))
        shelf = self._shelf(caller.contract)
        tool = shelf.tools.get(params.name)
        if tool is None:
            return _refused(f"There is no tool named {params.name!r}. There are: {', '.join(sorted(shelf.tools))}.")
        arguments = params.arguments or {}
        problems = sorted(shelf.validators[tool.name].iter_errors(arguments), key=lambda error: error.json_path)
        if problems:
            said = "; ".join(f"{error.json_path}: {error.message}" for error in problems[:PROBLEMS_SHOWN_MAX])
            return _refused(f"The arguments do not fit {tool.name}: {said}")
        try:
            request = GraphQLRequest(query=tool.document, operation_name=tool.name, variables=arguments)
            response = await self._pipeline.answer(request, caller)
        except GatewayError as error:
            response = self._pipeline.refusal(error)
        return _result(response)

    async def _caller(self, context: ServerRequestContext[Any]) -> Caller:
        headers = context.request.headers if isinstance(context.request, Request) else {}
        return await self._pipeline.caller(headers, contract=self._pipeline.settings.agents_contract)


def _definition(tool: Tool) -> ToolDefinition:
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=False,
        ),
    )


def _result(response: GraphQLResponse) -> CallToolResult:
    """``data`` as structured content. With errors and no data the call failed; with both, the text says what is missing."""
    if response.data is None or (any(value is None for value in response.data.values()) and response.errors):
        said = "; ".join(str(error["message"]) for error in response.errors[:PROBLEMS_SHOWN_MAX])
        return _refused(said or "There is no answer.")
    content = [TextContent(text=encode(dict(response.data)).decode())]
    for error in response.errors[:PROBLEMS_SHOWN_MAX]:
        content.append(TextContent(text=f"Missing from this answer: {error['message']}"))
    return CallToolResult(content=list(content), structured_content=dict(response.data))


def _refused(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=message)], is_error=True)
