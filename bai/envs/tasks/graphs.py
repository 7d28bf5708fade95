"""Programs over linked nodes, judged across a process boundary.

A graph of ``Node`` objects cannot travel as plain data, but its description can: a list of nodes, each a
dictionary of attributes in which a node is ``("node", index)``. The judge's side describes the arguments,
the candidate's side rebuilds them, calls the program and describes the result and every node as it is
afterwards, and the judge's side writes that back into its own objects. So a test may compare identities
(``result is node1``) and follow links that the program changed, and no object of the candidate's is ever
touched by it.
"""

from __future__ import annotations

__all__ = ["graph_adapter", "graph_proxy"]

_DESCRIBE = """
def {p}_describe(value, known):
    if isinstance(value, Node):
        if id(value) not in known:
            known[id(value)] = (len(known), value)
        return ("node", known[id(value)][0])
    if isinstance(value, dict):
        return {{{p}_describe(k, known): {p}_describe(v, known) for k, v in value.items()}}
    if isinstance(value, (list, tuple, set)):
        return ("items", type(value).__name__, tuple({p}_describe(item, known) for item in value))
    return value

def {p}_attributes(known):
    described = []
    while len(described) < len(known):
        node = list(known.values())[len(described)][1]
        described.append({{k: {p}_describe(v, known) for k, v in vars(node).items()}})
    return described

def {p}_build(value, nodes):
    if isinstance(value, dict):
        return {{{p}_build(k, nodes): {p}_build(v, nodes) for k, v in value.items()}}
    if isinstance(value, tuple) and value[0] == "node":
        return nodes[value[1]]
    if isinstance(value, tuple):
        kind = {{"list": list, "tuple": tuple, "set": set}}[value[1]]
        return kind([{p}_build(item, nodes) for item in value[2]])
    return value

def {p}_restore(nodes, attributes):
    nodes.extend(Node() for _ in range(len(attributes) - len(nodes)))
    for node, described in zip(nodes, attributes):
        vars(node).clear()
        vars(node).update({{k: {p}_build(v, nodes) for k, v in described.items()}})
"""
"""Loaded on both sides, each with its own prefix ``p``, after the public class ``Node``."""

_ADAPTER = """
def {call}(attributes, args):
    nodes = []
    {p}_restore(nodes, attributes)
    known = {{id(node): (index, node) for index, node in enumerate(nodes)}}
    result = {p}_describe({name}(*[{p}_build(arg, nodes) for arg in args]), known)
    return result, {p}_attributes(known)
"""

_PROXY = """
def {name}(*args):
    known = {{}}
    described = [{p}_describe(arg, known) for arg in args]
    attributes = {p}_attributes(known)
    nodes = [node for _, node in known.values()]
    result, attributes = {call}(attributes, described)
    {p}_restore(nodes, attributes)
    return {p}_build(result, nodes)
"""


def graph_adapter(name: str, call: str) -> str:
    """Gives the candidate's side: ``call(attributes, args)`` rebuilds the graph and calls ``name``."""
    return (_DESCRIBE + _ADAPTER).format(p="bai_graph", name=name, call=call)


def graph_proxy(name: str, call: str) -> str:
    """Gives the judge's side: a function ``name`` on nodes that goes through ``call``."""
    return (_DESCRIBE + _PROXY).format(p="judge_graph", name=name, call=call)
