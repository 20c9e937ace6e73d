#!/bin/sh
# The whole way in the shell. Files are written to the current folder.
#
#   sh examples/penguins.sh
set -eu

# Train as you are used to, and save the model and its training data.
python3 - <<'PYTHON'
import joblib
from edge_infer_convert.demo import train

pipeline, X, y = train()
joblib.dump(pipeline, "penguins.joblib")
X.assign(species=y).to_csv("train.csv", index=False)
PYTHON

# Convert it. A pickle runs code when it is read: say that you trust this one.
edge-infer convert penguins.joblib --trust-pickle --data train.csv --target-column species \
    --name penguins --version 1.0.0 -o penguins-1.0.0.onnx

# On the device: does the file give the original's answers here? What is in it?
edge-infer verify penguins-1.0.0.onnx
edge-infer inspect penguins-1.0.0.onnx

# One record; null is a missing value.
echo "one record:"
edge-infer predict penguins-1.0.0.onnx '{"island": "Biscoe", "sex": null, "bill_length_mm": 46.5,
    "bill_depth_mm": 14.5, "flipper_length_mm": 213, "body_mass_g": 4400}'

# A CSV file; columns that the model does not know are passed over.
edge-infer predict penguins-1.0.0.onnx train.csv --json > answers.json
echo "answers.json: $(wc -c < answers.json) bytes"

# A stream: a line of JSON in, a line of JSON out; a bad line gets an error, and the stream goes on.
echo "stream:"
edge-infer stream penguins-1.0.0.onnx <<'LINES'
{"id": 1, "island": "Dream", "sex": "female", "bill_length_mm": 39.5, "bill_depth_mm": 16.7, "flipper_length_mm": 178, "body_mass_g": 3250}
{"id": 2, "island": "Dream"}
{"id": 3, "island": "Biscoe", "sex": "male", "bill_length_mm": 50.0, "bill_depth_mm": 16.3, "flipper_length_mm": 230, "body_mass_g": 5700}
LINES
