"""A policy behind an endpoint that speaks the OpenAI chat completions protocol.

Text only: no tokens come back that a learner could use. The key is read from an
environment variable when a request is made, and is never kept, pickled or printed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bai.agents.policies.cut import cut_after_stop
from bai.agents.policies.text import TextPolicy
from bai.errors import ConfigError, ContextOverflow, EndpointError, MissingDependency
from bai.policy import Completion, Context, Sampling, StopReason

__all__ = ["EndpointPolicy"]

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_MASK63 = (1 << 63) - 1


class EndpointPolicy(TextPolicy):
    """Asks a server for answers.

    Args:
        url: Base address, such as ``http://localhost:8000/v1``; ``/chat/completions`` is added.
        model: The model's name there; may be empty where the server holds one.
        api_key_env: Environment variable with the key, or None to send none.
        name: For reports; None for ``openai:URL#MODEL``.
        timeout_s: Seconds one request may take.
        retries: Further attempts after a connection fault or a busy server.
        backoff_s: Seconds before the first of them; doubles each time.
        concurrency: Requests under way at a time.
        send_stop: Whether the server is told the stop strings. It stops sooner then, but the protocol lets
            it cut the string off and not say so; where it does not name the string it stopped at (vLLM's
            ``stop_reason``, SGLang's ``matched_stop``), the completion lacks it. False cuts the text here.
        max_context: Most tokens of the server's window, or None if unknown; only reported.

    Raises:
        ConfigError: The address is not http or https.
        MissingDependency: httpx is not installed.
    """

    def __init__(
        self,
        url: str,
        model: str = "",
        *,
        api_key_env: str | None = None,
        name: str | None = None,
        timeout_s: float = 300.0,
        retries: int = 4,
        backoff_s: float = 0.5,
        concurrency: int = 8,
        send_stop: bool = False,
        max_context: int | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"an endpoint's address starts with http:// or https://; got {url!r}")
        if retries < 0 or concurrency < 1 or timeout_s <= 0:
            raise ConfigError("retries must be at least 0, concurrency at least 1, timeout_s above 0")
        self.name = name or f"openai:{url}#{model}"
        self.max_context = max_context
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._api_key_env = api_key_env
        self._retries = retries
        self._send_stop = send_stop
        self._backoff_s = backoff_s
        self._client = _make_client(timeout_s)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="endpoint")

    def generate(
        self, contexts: Sequence[Context], n: int, sampling: Sampling, seeds: Sequence[int]
    ) -> list[list[Completion]]:
        """Draws completions; seeds are sent along, and it is the server's word that it honours them.

        A server that answers with one choice where several were asked for is asked again for the rest,
        each time with the next seed.
        """
        pairs = zip(contexts, seeds, strict=True)
        return list(self._threads.map(lambda pair: self._ask(pair[0], n, sampling, pair[1]), pairs))

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self._client.close()

    def _ask(self, context: Context, n: int, sampling: Sampling, seed: int) -> list[Completion]:
        made: list[Completion] = []
        while len(made) < n:
            body = self._body(context, n - len(made), sampling, (seed + len(made)) & _MASK63)
            made += self._read(self._post(body), sampling)[: n - len(made)]
        return made

    def _body(self, context: Context, n: int, sampling: Sampling, seed: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [message.to_json() for message in context.messages],
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            "stream": False,
        }
        if n > 1:
            body["n"] = n
        if sampling.stop and self._send_stop:
            body["stop"] = list(sampling.stop)
        if sampling.top_k:
            body["top_k"] = sampling.top_k
        return body

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        import httpx

        for attempt in range(self._retries + 1):
            try:
                response = self._client.post(self._url, json=body, headers=self._headers())
            except httpx.TransportError as error:
                fault = f"{type(error).__name__}: {error}"
            else:
                if response.status_code not in _RETRIED:
                    return _decode(response)
                fault = f"status {response.status_code}: {response.text[:300]}"
            if attempt < self._retries:
                time.sleep(self._backoff_s * 2**attempt)
        raise EndpointError(f"{self._url} failed {self._retries + 1} times; the last was {fault}")

    def _headers(self) -> dict[str, str]:
        if self._api_key_env is None:
            return {}
        key = os.environ.get(self._api_key_env)
        if not key:
            raise ConfigError(f"the endpoint's key is expected in the environment variable {self._api_key_env}")
        return {"Authorization": f"Bearer {key}"}

    def _read(self, answer: dict[str, Any], sampling: Sampling) -> list[Completion]:
        try:
            return [_completion(choice, sampling) for choice in answer["choices"]] or _raise_empty()
        except (KeyError, TypeError, AttributeError) as error:
            shown = str(answer)[:300]
            raise EndpointError(f"expected a chat completion with choices; got {shown}") from error


def _completion(choice: dict[str, Any], sampling: Sampling) -> Completion:
    text = choice["message"]["content"] or ""
    named = choice.get("stop_reason") or choice.get("matched_stop")
    if named in sampling.stop and not text.endswith(named):
        text += named
    cut = cut_after_stop(text, sampling.stop)
    reason: StopReason = "length" if choice.get("finish_reason") == "length" else "eos"
    return Completion(text=cut, stop_reason="stop" if cut.endswith(sampling.stop) else reason)


def _raise_empty() -> list[Completion]:
    raise EndpointError("expected at least one choice; the endpoint gave none")


def _decode(response: Any) -> dict[str, Any]:
    if response.status_code == 400 and "context" in response.text.lower():
        raise ContextOverflow(f"the endpoint refused the context: {response.text[:300]}")
    if response.status_code != 200:
        raise EndpointError(f"{response.url} answered status {response.status_code}: {response.text[:300]}")
    try:
        answer = response.json()
    except ValueError as error:
        raise EndpointError(f"{response.url} answered no JSON: {response.text[:300]}") from error
    if not isinstance(answer, dict):
        raise EndpointError(f"{response.url} answered {type(answer).__name__} where an object was expected")
    return answer


def _make_client(timeout_s: float) -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MissingDependency("httpx", "pip install 'bai-rl[endpoint]'", "an endpoint policy") from error
    return httpx.Client(timeout=timeout_s)
