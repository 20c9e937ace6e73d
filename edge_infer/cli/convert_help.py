"""What `edge-infer convert --help` says, apart from the declaration of its options."""

from __future__ import annotations

from typing import Final

__all__ = ["CONVERT_HELP", "DATA_HELP", "DATE_HELP", "INPUTS_HELP", "PRECISION_HELP", "TARGET_HELP"]

CONVERT_HELP: Final = """\
Turn a fitted scikit-learn model, a booster or a deep model into one proven ONNX file.

MODEL is a fitted scikit-learn model in a joblib, pickle or skops file, or a booster's own file: XGBoost's
.ubj or .json, LightGBM's .txt, CatBoost's .cbm or .json. The converted model is compared with the original
on rows made for it; if an answer differs, nothing is written and the rows are shown.

The own files of XGBoost and LightGBM hold no class labels, so that `predict` gives their raw numbers. For
labels and predict_proba save the scikit-learn wrapper (XGBClassifier, LGBMClassifier) with joblib.

A deep model is PyTorch's (.pt of torch.jit.save; .pt2 of torch.export.save and .pt of torch.save may hold pickles),
Keras's (.keras, .h5), a SavedModel folder of TensorFlow, or an ONNX file that somebody else exported. It is compared
with the original on calls that are made up in the range of --inputs, and on the examples of a .npz or .npy file given
there. No example goes into the file.

  edge-infer convert digits.pt2 --trust-pickle --labels digits.txt \\
      --inputs 'image=float32[batch, 1, 28, 28] 0..1'

--quantize makes a deep model smaller or faster, by examples (--calibration, or those of --inputs); --targets has the
true answers to them, if there are any. Each variant is measured here. The best one is kept where it is smaller or
faster than float32 and loses no more than --max-loss; the table shows all.

Where an input is an image, its text says what is made of one: the height and width that the network is given, then
any of resize=256 (the shorter edge; the middle is cut out) or resize=256x320, mean= and std= (a number, or one for each
channel), scale=1/255, layout=NCHW or NHWC, channels=RGB, BGR or L, interpolation=bilinear or bicubic, antialias=yes or
no. All of it becomes part of the graph, which then takes bytes, and predict takes files:

  edge-infer convert animals.onnx --labels animals.txt \\
      --inputs 'image=image[224, 224] resize=256 mean=0.5 std=0.25'
  edge-infer predict animals-1.0.0.onnx cat.png dog.jpg --top 3

Sound is told as audio[512] rate=16000: frames of so many samples; with step=480 they overlap. predict then takes a WAV.

The same model may be converted again and again into the same file. A file that holds another model is replaced with
--force only.

Example:

  edge-infer convert model.joblib --data train.csv --target-column survived \\
      --name titanic --version 1.2.0 --trust-pickle

A CSV holds dates as texts: --date-column NAME reads them as the times that the model was trained on. A step may take
them as numbers (StandardScaler …) or by a function that counts, such as days: X.astype("int64") // 86_400_000_000 of a
datetime64[us]. Parts of a calendar (.dt.month) do not convert: make them columns before the model.

--card names a TOML file of what people shall know; any of it may be left out, and none is checked:

  description = "Species of penguins from four measurements."
  license = "CC0-1.0"
  [units]
  bill_length_mm = "mm"
  [descriptions]
  bill_length_mm = "Length of the bill's upper ridge."
  [[metrics]]
  type = "accuracy"
  value = 0.98
  dataset = "held-out 20 % of the penguins"

--json prints one object: file, size, name, version, task, precision, precision_reason, methods,
inputs, outputs (of a deep model), missing_methods, training_rows, parity (the certificate), quantization,
variants (variant, kind, size, p50 in seconds, peak in bytes, score, kept, reason), report,
seconds (by stage), replaced (the release whose file stood there), stale_signature (its .sig, which
no longer holds). With --check: ok, steps, blockers (step, estimator, reason, remedy), needs, data_needed (columns)."""

DATA_HELP: Final = (
    "Training data or some hundred rows of it: .csv, .tsv, .parquet, .jsonl or .npy. A CSV needs no header if the "
    "model was fitted on an array."
)
INPUTS_HELP: Final = (
    "What a deep model is given: NAME=TYPE[SIZES] LOW..HIGH for each input, a size that varies by a name; an image as "
    "NAME=image[HEIGHT, WIDTH] …; or a .npz or .npy file of examples. Repeatable."
)
PRECISION_HELP: Final = (
    "float32: differences up to 1e-5 of an answer's size. float64: up to 1e-9. auto: float32 where the worst probe row "
    "stays within a tenth of that, since other rows may be worse; else float64."
)
TARGET_HELP: Final = (
    "The release that it shall run on, such as onnxruntime==1.17: refused where the graph is newer than that release "
    "takes; a deep model's graph is brought to its opset."
)
DATE_HELP: Final = "A column of dates or times in a CSV or JSON Lines, read as pandas.to_datetime does. Repeatable."
