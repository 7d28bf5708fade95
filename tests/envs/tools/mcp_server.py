"""An MCP server with tools that behave, and tools that don't. Run as a program."""

from __future__ import annotations

import os
import sys
import time

from mcp.server.mcpserver import MCPServer

app = MCPServer("notes")
notes: list[str] = []


@app.tool()
def note(text: str) -> str:
    """Keep a note; tells how many there are."""
    notes.append(text)
    return str(len(notes))


@app.tool()
def hang() -> str:
    """Never answer."""
    time.sleep(1000)
    return ""


@app.tool()
def die() -> str:
    """End the server."""
    os._exit(3)


@app.tool()
def babble() -> str:
    """Write what is no message."""
    print("nonsense\n{]", file=sys.__stdout__, flush=True)
    return "said"


@app.tool()
def fail() -> str:
    """Raise."""
    raise ValueError("not today")


app.run("stdio")
