"""POST /predict with FastAPI: {"input": …} gives {"prediction": …}.

PREDICT_TOKEN=secret MODEL=penguins-1.0.0.onnx uvicorn --workers 2 fastapi_app:app

Each worker is a fresh process, which loads the model itself. FastAPI would take a body of any size: it is read here.
"""

from __future__ import annotations

import json
import os
import secrets

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

import edge_infer

TOKEN = os.environ["PREDICT_TOKEN"].encode()
if not TOKEN:
    raise SystemExit("PREDICT_TOKEN is empty: anybody could ask")
MOST = 1_000_000  # bytes of a body
model, app = edge_infer.load(os.environ["MODEL"]), FastAPI()


def check_token(request: Request) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(given.encode("latin-1"), TOKEN):
        raise HTTPException(401, "expected the header Authorization: Bearer and the token")


async def read_body(request: Request) -> bytes:
    body, size, parts = b"", int(request.headers.get("Content-Length", 0)), request.stream()
    while size <= MOST and (part := await anext(parts, None)) is not None:
        body += part
        size = max(size, len(body))
    if size > MOST:
        raise HTTPException(413, f"expected at most {MOST:,} bytes")
    return body


@app.get("/health")
def health() -> dict[str, str]:
    return {"model": model.manifest.name, "version": model.manifest.version}


@app.post("/predict")
async def predict(request: Request) -> dict[str, object]:
    check_token(request)
    try:
        data = json.loads(await read_body(request))["input"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise HTTPException(400, 'expected a JSON object with "input"') from None
    try:
        answer = await run_in_threadpool(model.predict, data)
    except edge_infer.InputError as error:
        raise HTTPException(422, str(error)) from None
    return {"prediction": answer.tolist() if hasattr(answer, "tolist") else answer}
