// The manifest of an artifact, read out of the ONNX file itself: onnxruntime-node gives no metadata.
//
// An ONNX file is one protobuf message (ModelProto of onnx.proto); the field 14, metadata_props, is a list of entries
// of a key (1) and a value (2). Every other field is stepped over, so that a large graph costs nothing.
const METADATA = 14;
const [VARINT, LENGTH] = [0, 2]; // protobuf's wire types
const SIZES = { 1: 8, 5: 4 }; // bytes of the types of a fixed size
const NEWEST = 1; // the format that this program knows
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The manifest of an artifact's bytes (a Buffer). Throws where there is none that this program understands. */
export function readManifest(bytes) {
  const found = [...fields(bytes)]
    .filter(([number, value]) => number === METADATA && value instanceof Uint8Array)
    .map(([, entry]) => new Map(fields(entry)))
    .filter((entry) => utf8.decode(entry.get(1)) === "edge_infer.manifest");
  if (found.length !== 1) throw new Error(`expected one edge_infer.manifest in the file, found ${found.length}`);
  const manifest = JSON.parse(utf8.decode(found[0].get(2)));
  const { format } = manifest;
  if (!Number.isInteger(format) || format < 1) throw new Error("the manifest tells no format");
  if (format > NEWEST) throw new Error(`format ${format} is newer than ${NEWEST}: update this reader`);
  return manifest;
}

/** Yields [number, value] of each field of a message: bytes, or a number where it is one. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    for (let value = 0, scale = 1; scale < 2 ** 70; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("not an ONNX file, or one that is cut off");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Error("not an ONNX file: a number of more than 64 bits");
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === VARINT) {
      yield [number, varint()];
      continue;
    }
    const size = wire === LENGTH ? varint() : SIZES[wire];
    if (size === undefined || at + size > bytes.length) throw new Error("not an ONNX file, or one that is cut off");
    yield [number, bytes.subarray(at, at + size)];
    at += size;
  }
}
