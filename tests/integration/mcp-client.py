"""The official MCP client against the gateway's server: `mcp-client.py <url> <key>`, calls as JSON lines on stdin, results on stdout."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main(url: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with streamablehttp_client(url, headers=headers) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            tools = await session.list_tools()
            print(json.dumps({"tools": [tool.name for tool in tools.tools]}), flush=True)
            for line in sys.stdin:
                call = json.loads(line)
                result = await session.call_tool(call["name"], call["arguments"])
                text = "\n".join(block.text for block in result.content)
                print(json.dumps({"text": text, "failed": bool(result.isError)}), flush=True)


asyncio.run(main(*sys.argv[1:3]))
