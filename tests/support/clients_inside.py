"""Runs inside a task: one request with each HTTP client; prints what came of them as JSON.

    clients_inside.py SETTINGS      a file of JSON: see `tests/e2e/test_http_clients.py`

Standard library only. What a client is told besides its own environment stands here in full: it is
what a person would type.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

with open(sys.argv[1]) as told:
    S = json.load(told)
API, INDEX, STORE, TOKEN = S["api"], S["index"], S["store"], os.environ["API_TOKEN"]
NODE = S["node_bin"]
HERE = os.getcwd()
PYTHON = {"PYTHONPATH": S["libraries"]}
HEADERS = "headers={'Authorization': 'Bearer ' + os.environ['API_TOKEN']}"


def python(code):
    return [S["python"], "-c", "import os\n" + code], PYTHON


def node(code):
    return [f"{NODE}/node", "-e", code], {}


FETCH = (
    "fetch('https://%s/%s', {headers: {Authorization: 'Bearer ' + process.env.API_TOKEN}})"
    ".then(r => r.text()).then(console.log)"
)
HTTPS = (
    "require('https').get('https://%s/%s', {headers: {Authorization: 'Bearer ' + "
    "process.env.API_TOKEN}}, r => r.pipe(process.stdout))"
)
AIOHTTP = """
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(trust_env=%s) as session:
        async with session.get('https://%s/%s', %s) as answer:
            print(await answer.text())
asyncio.run(main())
"""
BOTO3 = """
import boto3
from botocore.config import Config
s3 = boto3.client('s3', endpoint_url='https://%s', region_name='eu-west-1',
    aws_access_key_id='AKIAIOSFODNN7EXAMPLE', aws_secret_access_key='a-key-of-the-projects-own',
    config=Config(retries={'total_max_attempts': 1}, s3={'addressing_style': 'path'}))
print(s3.get_object(Bucket='data', Key='hello.txt')['Body'].read().decode())
"""
CURL = ["curl", "-sS", "-m", "20", "-H", f"Authorization: Bearer {TOKEN}"]

# name → (words, variables besides those of the task)
CLIENTS = {
    "curl": ([*CURL, f"https://{API}/v1/curl"], {}),
    "git": (
        [
            "git",
            "-c",
            f"http.extraHeader=Authorization: Bearer {TOKEN}",
            "clone",
            "-q",
            f"https://{API}/git/project.git",
            f"{HERE}/cloned",
        ],
        {},
    ),
    "git-basic": (
        ["git", "clone", "-q", f"https://ana:{TOKEN}@{API}/git/project.git", f"{HERE}/cloned-too"],
        {},
    ),
    "node-fetch": node(FETCH % (API, "v1/node-fetch")),
    "node-https": node(HTTPS % (API, "v1/node-https")),
    "requests": python(
        f"import requests\nprint(requests.get('https://{API}/v1/requests', {HEADERS}).text)"
    ),
    "httpx": python(f"import httpx\nprint(httpx.get('https://{API}/v1/httpx', {HEADERS}).text)"),
    "urllib": python(
        "import urllib.request as u\n"
        f"print(u.urlopen(u.Request('https://{API}/v1/urllib', {HEADERS})).read().decode())"
    ),
    "aiohttp": python(AIOHTTP % ("True", API, "v1/aiohttp", HEADERS)),
    "boto3": python(BOTO3 % STORE),
    "gh": (
        [S["gh"], "api", "user"],
        {
            "GH_HOST": S["api_for_go"],
            "GH_ENTERPRISE_TOKEN": TOKEN,
            "GH_CONFIG_DIR": f"{HERE}/gh",
            "GH_NO_UPDATE_NOTIFIER": "1",
        },
    ),
    "pip": (
        [
            S["python"],
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--disable-pip-version-check",
            "--target",
            f"{HERE}/pip",
            "--index-url",
            f"https://ana:{TOKEN}@{API}/simple/",
            "tiny-margin",
        ],
        PYTHON,
    ),
    "npm": (
        [
            f"{NODE}/npm" if os.path.exists(f"{NODE}/npm") else "npm",
            "install",
            "--prefix",
            f"{HERE}/npm",
            f"--registry=https://{INDEX}/",
            f"--//{INDEX}/:_authToken={TOKEN}",
            "--no-audit",
            "--no-fund",
            "--loglevel=http",  # what it waited for
            "left-margin",
        ],
        {},
    ),
    # Those that take no notice of a proxy.
    "curl-direct": ([*CURL, "--noproxy", "*", f"https://{API}/v1/curl-direct"], {}),
    "node-direct": (node(FETCH % (API, "v1/node-direct"))[0], {"NODE_USE_ENV_PROXY": ""}),
    "aiohttp-direct": python(AIOHTTP % ("False", API, "v1/aiohttp-direct", HEADERS)),
    # One that trusts only what it brought along, as a program with a pinned certificate does.
    "pinned": ([*CURL, "--cacert", f"{HERE}/pinned.pem", f"https://{API}/v1/pinned"], {}),
}


def run(name):
    words, more = CLIENTS[name]
    try:
        done = subprocess.run(
            words, env={**os.environ, **more}, cwd=HERE, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        return name, {"code": -1, "output": f"{said}\nnot done after {error.timeout} s"}
    except OSError as error:
        return name, {"code": -1, "output": repr(error)}
    return name, {"code": done.returncode, "output": done.stdout}


with ThreadPoolExecutor(4) as pool:
    print(json.dumps(dict(pool.map(run, S.get("only") or CLIENTS))))
