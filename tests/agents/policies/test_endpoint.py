"""The endpoint policy against real servers on loopback."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from transformers import MixtralConfig, MixtralForCausalLM

from bai.agents.policies import make_policy
from bai.agents.policies.endpoint import EndpointPolicy
from bai.errors import ConfigError, ContextOverflow, EndpointError
from bai.policy import Sampling
from bai.types import Message

SAMPLING = Sampling(max_new_tokens=8)


class Server:
    """An HTTP server that answers from a list of (status, body), then goes on with the last."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.path, dict(self.headers), json.loads(body)))
                status, answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                if status == 0:  # hang up without an answer
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def choices(*texts, **more):
    return 200, {"choices": [{"message": {"content": t}, "finish_reason": "stop", **more} for t in texts]}


def ask(policy, n=1, sampling=SAMPLING, seed=3):
    try:
        context = policy.begin([Message(role="user", content="hello")])
        return policy.generate([context], n, sampling, [seed])[0]
    finally:
        policy.close()


def make(server, **options):
    return EndpointPolicy(server.url, "m", backoff_s=0.001, **options)


def test_sends_what_was_asked_for():
    """Model, messages, length, temperature, seed and number of choices reach the server."""
    with Server(choices("a", "b")) as server:
        answers = ask(make(server), n=2, sampling=Sampling(max_new_tokens=9, temperature=0.5, top_p=0.9))
    ((path, _, body),) = server.requests
    assert path == "/v1/chat/completions"
    assert [c.text for c in answers] == ["a", "b"]
    assert all(c.token_ids == () and c.stop_reason == "eos" for c in answers)
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "n": 2,
        "stream": False,
    }


def test_later_turns_send_the_whole_conversation():
    """Text-only contexts carry their messages."""
    with Server(choices("one"), choices("two")) as server:
        policy = make(server)
        context = policy.begin([Message(role="user", content="q")])
        context = policy.extend(context.append(policy.generate([context], 1, SAMPLING, [0])[0][0]), "more")
        policy.generate([context], 1, SAMPLING, [1])
        policy.close()
    said = [(m["role"], m["content"]) for m in server.requests[1][2]["messages"]]
    assert said == [("user", "q"), ("assistant", "one"), ("user", "more")]


def test_a_server_without_n_is_asked_again():
    """Fewer choices than asked for: further requests with further seeds."""
    with Server(choices("a"), choices("b"), choices("c")) as server:
        assert [c.text for c in ask(make(server), n=3)] == ["a", "b", "c"]
    assert [request[2]["seed"] for request in server.requests] == [3, 4, 5]


@pytest.mark.parametrize("fault", [(0, b""), (503, b"busy"), (429, b"slow down")], ids=["hang-up", "503", "429"])
def test_passing_faults_are_retried(fault):
    """A lost connection and a busy server are tried again."""
    with Server(fault, fault, choices("a")) as server:
        assert ask(make(server))[0].text == "a"
    assert len(server.requests) == 3


def test_lasting_faults_end_in_an_endpoint_error():
    """After the last attempt the error says how often and what."""
    with Server((503, b"busy")) as server, pytest.raises(EndpointError, match=r"failed 3 times.*503"):
        ask(make(server, retries=2))
    assert len(server.requests) == 3


def test_nobody_listening_is_an_endpoint_error():
    """A refused connection too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EndpointError, match="ConnectError"):
        ask(EndpointPolicy(f"http://127.0.0.1:{port}", retries=1, backoff_s=0.001))


@pytest.mark.parametrize("answer", [b"<html>", {"error": "x"}, {"choices": []}, {"choices": [{}]}, ["list"]], ids=str)
def test_garbage_is_an_endpoint_error(answer):
    """Whatever is not a chat completion is refused, not guessed at."""
    with Server((200, answer)) as server, pytest.raises(EndpointError):
        ask(make(server))


def test_refusals_are_not_retried():
    """A 401 is said at once; a 400 about the context is an overflow."""
    with Server((401, b"no key")) as server, pytest.raises(EndpointError, match="401"):
        ask(make(server))
    assert len(server.requests) == 1
    with Server((400, b"maximum context length is 8")) as server, pytest.raises(ContextOverflow):
        ask(make(server))


def test_the_key_is_read_when_used_and_never_kept(monkeypatch):
    """It goes into the header, and into nothing that can be printed or pickled."""
    monkeypatch.setenv("BAI_TEST_KEY", "sesame")
    with Server(choices("a")) as server:
        policy = make(server, api_key_env="BAI_TEST_KEY")
        assert "sesame" not in repr(vars(policy))
        context = policy.begin([Message(role="user", content="x")])
        assert b"sesame" not in pickle.dumps(context)
        ask(policy)
    assert server.requests[0][1]["Authorization"] == "Bearer sesame"
    monkeypatch.delenv("BAI_TEST_KEY")
    with Server(choices("a")) as server, pytest.raises(ConfigError, match="BAI_TEST_KEY"):
        ask(make(server, api_key_env="BAI_TEST_KEY"))


def test_stop_strings_are_cut_here_unless_the_server_is_told():
    """By default the contract holds whatever the server does; told, it must name what it cut off."""
    sampling = Sampling(max_new_tokens=8, stop=("END",))
    with Server(choices("one END two")) as server:
        (answer,) = ask(make(server), sampling=sampling)
        assert (answer.text, answer.stop_reason) == ("one END", "stop")
        assert "stop" not in server.requests[0][2]
    with Server(choices("one ", stop_reason="END")) as server:
        (answer,) = ask(make(server, send_stop=True), sampling=sampling)
        assert (answer.text, answer.stop_reason) == ("one END", "stop")
        assert server.requests[0][2]["stop"] == ["END"]


def test_length_is_told():
    """``finish_reason: length`` comes through, and no content is empty text."""
    with Server((200, {"choices": [{"message": {"content": None}, "finish_reason": "length"}]})) as server:
        (answer,) = ask(make(server))
    assert (answer.text, answer.stop_reason) == ("", "length")


def test_bad_arguments_are_refused():
    """Another scheme, numbers out of range, an unknown spec."""
    with pytest.raises(ConfigError, match="http"):
        EndpointPolicy("localhost:8000")
    with pytest.raises(ConfigError, match="retries"):
        EndpointPolicy("http://localhost", retries=-1)


SERVE = "from transformers.cli.transformers import main; main()"


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_transformers_serve_answers(tokenizer, tmp_path):
    """A real server of a small model: answers come, several a prompt, bounded in length."""
    folder, log = tmp_path / "model", tmp_path / "log"
    MixtralForCausalLM(
        MixtralConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=256,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as output:
        command = [sys.executable, "-c", SERVE, "serve", str(folder), "--port", str(port), "--device", "cpu"]
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        _wait(process, f"http://127.0.0.1:{port}/health", log)
        policy = make_policy(f"openai:http://127.0.0.1:{port}/v1#{folder}", timeout_s=120.0)
        answers = ask(policy, n=2, sampling=Sampling(max_new_tokens=5))
        assert len(answers) == 2
        assert all(len(answer.text) < 200 and answer.stop_reason in ("eos", "length") for answer in answers)
    finally:
        process.terminate()
        process.wait(30)


def _wait(process, url, log):
    """Until the server answers; its log, if it ends first."""
    for _ in range(1200):
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())
