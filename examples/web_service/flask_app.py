"""POST /predict with Flask: {"input": …} gives {"prediction": …}.

PREDICT_TOKEN=secret MODEL=penguins-1.0.0.onnx gunicorn --workers 2 --threads 4 flask_app:app

Each worker loads the model after the fork, where this module is imported. Leave out gunicorn's --preload: it would load
it before, and a model of more than one thread does not survive a fork. `Model` itself is safe for threads.
"""

from __future__ import annotations

import json
import os
import secrets

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

import edge_infer

TOKEN = os.environ["PREDICT_TOKEN"].encode()
if not TOKEN:
    raise SystemExit("PREDICT_TOKEN is empty: anybody could ask")
model = edge_infer.load(os.environ["MODEL"])

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1_000_000  # bytes of a body


def has_token() -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(given.encode("latin-1"), TOKEN)


@app.errorhandler(HTTPException)
def told(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description), error.code or 500


@app.get("/health")
def health() -> Response:
    return jsonify(model=model.manifest.name, version=model.manifest.version)


@app.post("/predict")
def predict() -> Response | tuple[Response, int]:
    if not has_token():
        return jsonify(error="expected the header Authorization: Bearer and the token"), 401
    try:
        data = json.loads(request.get_data())["input"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return jsonify(error='expected a JSON object with "input"'), 400
    try:
        answer = model.predict(data)
    except edge_infer.InputError as error:
        return jsonify(error=str(error)), 422
    return jsonify(prediction=answer.tolist() if hasattr(answer, "tolist") else answer)
