// The golden rows, run in this browser and held against the original's answers (FORMAT.md, section 5).

const NON_FINITE_TEXTS = { NaN, Infinity, "-Infinity": -Infinity };

/**
 * {methods, left}: for each method the rows, those that agree, and the largest difference of a number; `left` counts
 * rows with a text that no browser takes.
 */
export async function replay(model, goldens) {
  const mismatches = goldens.rows.map((row) => model.packer.mismatches(row));
  const refused = mismatches.flat().find((mismatch) => !mismatch.cut);
  if (refused) throw new Error(`a golden row does not fit: ${refused}`);
  const places = [...goldens.rows.keys()].filter((place) => !mismatches[place].length);
  const answers = await model.answers(places.map((place) => goldens.rows[place]));
  const methods = Object.entries(goldens.answers).map(([method, expected]) => {
    const output = model.outputs.find((one) => one.method === method);
    const compared = places.map((place, i) =>
      compare(output, answers[i][method], expected[place], goldens.tolerances[method]),
    );
    return {
      method,
      rows: places.length,
      equal: compared.filter((one) => one.agrees).length,
      exact: isExact(output),
      largest: Math.max(0, ...compared.map((one) => one.largest)),
      first: places[compared.findIndex((one) => !one.agrees)],
    };
  });
  return { methods, left: goldens.rows.length - places.length };
}

/** Text, true/false and objects must be equal; numbers within the tolerance. */
const isExact = (output) => output.dtype === "object" || output.dtype === "bool" || output.dtype.startsWith("<U");

function compare(output, got, wanted, tolerance) {
  const pairs = [[got].flat(Infinity), [wanted].flat(Infinity)];
  if (pairs[0].length !== pairs[1].length) return { agrees: false, largest: 0 };
  if (isExact(output)) return { agrees: pairs[0].every((value, i) => value === pairs[1][i]), largest: 0 };
  const each = pairs[0].map((value, i) => compareNumbers(value, pairs[1][i], tolerance));
  return { agrees: each.every((one) => one.agrees), largest: Math.max(0, ...each.map((one) => one.difference)) };
}

function compareNumbers(got, wanted, { relative, scale }) {
  const expected = typeof wanted === "string" ? NON_FINITE_TEXTS[wanted] : wanted;
  if (typeof got === "bigint" || typeof expected === "bigint") {
    return { agrees: BigInt(got) === BigInt(expected), difference: Math.abs(Number(got) - Number(expected)) };
  }
  if (Object.is(got, expected) || got === expected) return { agrees: true, difference: 0 };
  const difference = Math.abs(got - expected);
  if (!Number.isFinite(expected) || !Number.isFinite(difference)) return { agrees: false, difference: 0 };
  return { agrees: difference <= relative * Math.max(Math.abs(expected), scale), difference };
}
