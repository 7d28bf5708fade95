"""What a cell put out, in the form that a notebook's file has it, and as an agent is told of it.

It comes from a process that ran the candidate's code, so its form is checked field by field before anything else
looks at it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bai.envs.repository.dialogue import shortened

__all__ = ["Output", "pictures", "read_outputs", "tell"]

Output = dict[str, Any]
"""An output of a code cell of nbformat 4."""


def read_outputs(text: Any) -> tuple[bool, tuple[Output, ...]]:
    """Reads a shell's answer; gives whether the cell failed, and its outputs.

    Raises:
        ValueError: It is not what a shell answers.
    """
    if not isinstance(text, str):
        raise ValueError("no text")
    try:
        answer = json.loads(text, parse_constant=_refuse)
        if type(answer["failed"]) is not bool or type(answer["outputs"]) is not list:
            raise ValueError("no outputs")
        return answer["failed"], tuple(_READERS[output["output_type"]](output) for output in answer["outputs"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"malformed: {error!r:.100}") from error


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _text(value: Any) -> str:
    """A string that can be encoded: an agent reads it, and no tokenizer takes lone surrogates."""
    if not isinstance(value, str):
        raise ValueError("expected text")
    return value.encode("utf-8", "backslashreplace").decode()


def _sound(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_sound(item) for item in value]
    return {_text(name): _sound(item) for name, item in value.items()} if isinstance(value, dict) else value


def _stream(output: Mapping[str, Any]) -> Output:
    if output["name"] not in ("stdout", "stderr"):
        raise ValueError("no such stream")
    return {"output_type": "stream", "name": output["name"], "text": _text(output["text"])}


def _error(output: Mapping[str, Any]) -> Output:
    lines = [_text(line) for line in output["traceback"]]
    name, value = _text(output["ename"]), _text(output["evalue"])
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": lines}


def _rich(output: Mapping[str, Any]) -> Output:
    data = {_text(mime): _of_kind(mime, _sound(value)) for mime, value in output["data"].items()}
    rich = {"output_type": output["output_type"], "data": data, "metadata": _sound(dict(output["metadata"]))}
    if output["output_type"] == "execute_result":
        count = output["execution_count"]
        rich["execution_count"] = count if type(count) is int and count >= 0 else None
    return rich


def _of_kind(mime: str, value: Any) -> Any:
    """A file keeps values of other kinds under MIME types of JSON alone."""
    is_json = mime == "application/json" or (mime.startswith("application/") and mime.endswith("+json"))
    return value if is_json or isinstance(value, str) else json.dumps(value)


_READERS = {"stream": _stream, "error": _error, "display_data": _rich, "execute_result": _rich}


def pictures(outputs: Iterable[Output]) -> int:
    """Number of pictures among outputs."""
    return sum(any(mime.startswith("image/") for mime in output.get("data", ())) for output in outputs)


def tell(outputs: Iterable[Output], most: int) -> str:
    """Puts outputs into words: printed text, the plain form of rich output, tracebacks; pictures are named.

    Args:
        outputs: What a cell put out.
        most: Characters; of a longer text the middle is left out, and how much that was is said.
    """
    return shortened("\n".join(filter(None, map(_words, outputs))), most)


def _words(output: Output) -> str:
    if output["output_type"] == "stream":
        return str(output["text"]).rstrip("\n")
    if output["output_type"] == "error":
        return "\n".join(output["traceback"]).rstrip("\n") or f"{output['ename']}: {output['evalue']}"
    data = output["data"]
    shown = [f"[{mime}]" for mime in data if mime.startswith("image/")]
    plain = data.get("text/plain", data.get("text/markdown", data.get("text/html", "")))
    return " ".join(filter(None, [str(plain), *shown]))
