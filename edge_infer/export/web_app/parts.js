// The parts of the app that are data: files beside the page, or text within it where the app is a single file.

/** Whether all parts are inside of the page. */
export const isSingleFile = () => document.querySelector("script[id^='part-']") !== null;

/** A part's bytes; those of a file are checked against the hash that the page has. */
export async function part(name) {
  const inside = document.getElementById(`part-${name}`);
  if (inside) return fromBase64(inside.textContent);
  const { content, dataset } = document.querySelector(`meta[name="part-${name}"]`);
  try {
    const response = await fetch(content, { integrity: dataset.integrity });
    if (!response.ok) throw new Error(`the server says ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new Error(`${content} is not there, or not as it was exported (${error.message})`);
  }
}

/** The bytes that gzip packed. */
export async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
