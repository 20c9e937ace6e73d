"""What one would write by hand for the penguins model: numpy and onnxruntime, nothing checked.

python bare_script.py MODEL [JSON]

Without JSON it answers one line of standard input.
"""

import json
import sys

import numpy as np
import onnxruntime

NUMBERS = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
TEXTS = ("island", "sex")

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
record = json.loads(sys.argv[2] if len(sys.argv) > 2 else sys.stdin.readline())
feeds = {
    "numbers": np.array([[record[name] for name in NUMBERS]], dtype=np.float64),
    "strings": np.array([["\ue000" if record[name] is None else record[name] for name in TEXTS]], dtype=object),
}
print(session.run(["label"], feeds)[0][0], flush=True)
